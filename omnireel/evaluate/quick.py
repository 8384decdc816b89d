"""The quick evaluation: generate, judge, and put every score beside its control and its ceiling.

Each oracle answers four times per case: for the result; for the result held against another
case's facts (``shuffled``: what chance and bias alone score); for the exact target through the
system's autoencoder (``ceiling``); and for the exact target itself (``truth``: what is missing
from full marks there is the oracle's own error).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from omnireel.evaluate.cases import Case, CaseConfig, cases_of
from omnireel.evaluate.judgement import Judgement, Viewer
from omnireel.evaluate.makers import Maker
from omnireel.evaluate.oracles import oracles_of
from omnireel.evaluate.perception import Perception
from omnireel.evaluate.wordings import PRECISE, Wording
from omnireel.types import Clip
from omnireel.world.tasks import TaskSample

COLUMNS = ("score", "shuffled", "ceiling", "truth")

Scores = dict[str, float | None]
"""By oracle name; None where the question does not arise."""


@dataclass(frozen=True, eq=False)
class CaseResult:
    """One case, its results by wording, and scores by column.

    ``scores[wording]["score"|"shuffled"]`` depend on the result; ``exact["ceiling"|"truth"]`` do
    not.
    """

    case: Case
    results: dict[str, Clip]
    ceiling: Clip
    scores: dict[str, dict[str, Scores]]
    exact: dict[str, Scores]


@dataclass(frozen=True, eq=False)
class QuickProgress:
    """How far an evaluation is: ``done`` of ``total`` clips, and what is being made."""

    done: float
    total: int
    what: str


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All cases by capability."""

    config: CaseConfig
    wordings: tuple[str, ...]
    capabilities: dict[str, tuple[CaseResult, ...]] = field(default_factory=dict)


def evaluate_quick(
    maker: Maker,
    eyes: Perception,
    config: CaseConfig,
    *,
    wordings: Sequence[Wording] = (PRECISE,),
    on_progress: Callable[[QuickProgress], None] = lambda progress: None,
    on_capability: Callable[[str, tuple[CaseResult, ...]], None] = lambda name, results: None,
) -> Evaluation:
    """Evaluate every capability of ``config``; the same maker and configuration score the same.

    ``on_capability`` is called as soon as one capability is finished.
    """
    evaluation = Evaluation(config, tuple(w.name for w in wordings))
    total = len(config.capabilities) * config.cases_per_capability * len(wordings)
    done = 0
    for capability in config.capabilities:
        cases = list(cases_of(capability, config))
        results: list[dict[str, Clip]] = []
        for case in cases:
            clips: dict[str, Clip] = {}
            for wording in wordings:
                what = f"{case.name}, {wording.name}"

                def on_step(step: int, steps: int, base: int = done, what: str = what) -> None:
                    on_progress(QuickProgress(base + step / steps, total, what))

                on_step(0, 1)
                clips[wording.name] = maker.make(case, wording.prompt(case.sample), on_step)
                done += 1
            results.append(clips)
        judged = judge(cases, results, [maker.ceiling(c.sample.target) for c in cases], eyes)
        evaluation.capabilities[capability] = judged
        on_capability(capability, judged)
    on_progress(QuickProgress(total, total, "done"))
    return evaluation


def judge(
    cases: Sequence[Case],
    results: Sequence[dict[str, Clip]],
    ceilings: Sequence[Clip],
    eyes: Perception,
) -> tuple[CaseResult, ...]:
    """Score the results of one capability's cases."""
    out = []
    viewer = Viewer(eyes)
    for case, clips, ceiling in zip(cases, results, ceilings, strict=True):
        other = shuffled_partner(case, cases).sample
        own = case.sample
        scores = {
            name: {
                "score": score_all(clip, own, viewer),
                "shuffled": score_all(clip, other, viewer),
            }
            for name, clip in clips.items()
        }
        exact = {
            "ceiling": score_all(ceiling, own, viewer),
            "truth": score_all(own.target, own, viewer),
        }
        out.append(CaseResult(case, clips, ceiling, scores, exact))
    return tuple(out)


def shuffled_partner(case: Case, cases: Sequence[Case]) -> Case:
    """The next case of the same split, around the corner."""
    peers = [c for c in cases if c.split == case.split]
    return peers[(peers.index(case) + 1) % len(peers)]


def score_all(result: Clip, asked: TaskSample, viewer: Viewer) -> Scores:
    """The answers of all oracles of the asked capability."""
    judgement = Judgement(result, asked, viewer)
    return {oracle.name: oracle.score(judgement) for oracle in oracles_of(asked.capability)}
