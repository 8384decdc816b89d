"""The stage of tier 3: a sample that passed everything cheaper is decoded again and compared with
its words and companions."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

from omnireel.data.candidate import Shot
from omnireel.data.checks.base import Outcome, Tier, Verdict, judge, verdict_of
from omnireel.data.checks.policy import Policy
from omnireel.data.curate.inputs import open_inputs
from omnireel.data.curate.listing import Item
from omnireel.data.curate.measure import blank_candidate, shots_of
from omnireel.data.curate.reading import ReadShot, read_file
from omnireel.data.curate.records import verdict_json


@dataclass(frozen=True)
class JudgeTask:
    """One sample."""

    item: Item
    shot: Shot
    key: str


@dataclass(frozen=True)
class JudgeStage:
    """Makes the function that asks tier 3; picklable. Models are loaded once in each worker."""

    address: str
    policy: Policy

    def __call__(self) -> Callable[[JudgeTask, Callable[[], None]], bytes]:
        """Load the models."""
        policy = self.policy
        checks = [kind.load(policy.models) for kind in policy.checks(Tier.CROSS_MODAL)]
        inputs = open_inputs(self.address)

        def judge_sample(task: JudgeTask, beat: Callable[[], None]) -> bytes:
            with ExitStack() as stack:
                blank, problem = blank_candidate(stack, inputs, task.item)
                if problem:
                    raise OSError(problem)
                shown: list[Verdict] = []

                def on_shot(read: ReadShot) -> None:
                    if read.shot.index != task.shot.index:
                        return
                    candidate = replace(
                        blank, key=task.key, file=read.facts, shot=task.shot, frames=read.frames
                    )
                    for check in checks:
                        shown.append(judge(check, policy.bounds[check.name], candidate))
                        beat()

                read_file(blank.path, shots_of(task.item, policy), on_shot, beat=beat)
            return _json(shown)

        return judge_sample

    @staticmethod
    def lost(policy: Policy, key: str, reason: str) -> bytes:
        """What is kept of a sample that killed its worker."""
        return _json(
            [
                verdict_of(kind, policy.bounds[kind.name], key, Outcome.FAILED, reason)
                for kind in policy.checks(Tier.CROSS_MODAL)
            ]
        )


def _json(verdicts: list[Verdict]) -> bytes:
    return json.dumps([verdict_json(v) for v in verdicts], allow_nan=False).encode()
