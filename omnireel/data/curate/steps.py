"""The steps of a curation that work on one file or sample at a time.

Every result is kept in `state` as it comes; what has one is not done again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnireel.data.checks.base import Tier
from omnireel.data.checks.copies import ExactDuplicate
from omnireel.data.curate.choosing import Chooser
from omnireel.data.curate.cut import CutStage, CutTask
from omnireel.data.curate.duplicates import same_bytes
from omnireel.data.curate.inputs import Inputs
from omnireel.data.curate.judging import JudgeStage, JudgeTask
from omnireel.data.curate.listing import Item, Listing
from omnireel.data.curate.measure import MeasureStage, lost_file
from omnireel.data.curate.packing import Kept
from omnireel.data.curate.records import FileRecord
from omnireel.data.curate.request import CurateRequest, stamp_of
from omnireel.data.curate.state import WORK, State
from omnireel.data.executors import Done, Executor, Stage, Task
from omnireel.data.shards.manifest import MANIFEST
from omnireel.files import disk_errors

Progress = Callable[[str, int, int], None]
"""Told (stage, done, all) as the work goes on."""
CLIPS = "clips"
"""Folder of shots that became files, below the work folder."""
WITH_MODELS = 64 << 30
"""Address space of workers that hold models, which map far more than they touch."""
MEASURED = (Tier.BASIC, Tier.TEMPORAL)
"""Tiers that are asked in the pass over a file."""
HASH, MEASURE, JUDGE, CUT = "hash", "measure", "judge", "cut"


@dataclass(frozen=True)
class Steps:
    """One run's parts; each method is one step of `engine`."""

    request: CurateRequest
    inputs: Inputs
    listing: Listing
    state: State
    executor: Executor
    progress: Progress

    def same_bytes(self) -> dict[str, str]:
        """Files that are copies of others, by name."""
        if ExactDuplicate.name not in self.request.policy.bounds:
            return {}

        def known(item: Item) -> str | None:
            found = self.state.get(HASH, item.name, stamp_of(item))
            return None if found is None else found.decode()

        copies = same_bytes(
            list(self.listing.items.values()),
            self.inputs,
            known,
            lambda item, digest: self.state.put(
                HASH, item.name, stamp_of(item), digest.encode(), 0.0
            ),
            lambda done, total: self.progress("comparing files", done, total),
        )
        for name in copies:  # a part, which knows nothing of the others, may have measured it
            self.state.drop(MEASURE, name)
        return copies

    def measure(self, copies: Mapping[str, str]) -> None:
        """All files but ``copies``."""
        policy, items = self.request.policy, self.listing.items
        self._do(
            Stage(
                MEASURE,
                MeasureStage(self.request.place, policy),
                gpus=max((kind.gpus for kind in policy.checks(*MEASURED)), default=0.0),
                memory_bytes=WITH_MODELS if policy.models.unsafe else Stage.memory_bytes,
            ),
            {name: item for name, item in items.items() if name not in copies},
            items,
            lambda name, why: lost_file(items[name], policy, why).to_json(),
        )

    def judge(self, chooser: Chooser) -> None:
        """Tier 3, for what passed so far."""
        policy = self.request.policy
        kinds = policy.checks(Tier.CROSS_MODAL)
        if not kinds:
            return
        choices = {choice.key: choice for choice in chooser.passed()}
        self._do(
            Stage(
                JUDGE,
                JudgeStage(self.request.place, policy),
                gpus=max(kind.gpus for kind in kinds),
                memory_bytes=WITH_MODELS,
            ),
            {key: JudgeTask(choice.item, choice.shot, key) for key, choice in choices.items()},
            {key: choice.item for key, choice in choices.items()},
            lambda key, why: JudgeStage.lost(policy, key, why),
        )
        for key, choice in choices.items():
            chooser.judged(key, self._result(JUDGE, key, choice.item))

    def cut(self, chooser: Chooser) -> dict[str, Kept]:
        """What passed, with a clip of its own for every shot that is a part of a file."""
        clips = self.request.out.resolve() / WORK / CLIPS
        parts = {c.key: c for c in chooser.passed() if not c.shot.whole}
        if parts:
            with disk_errors(self.request.out):
                clips.mkdir(exist_ok=True)
        if not (self.request.out / MANIFEST).is_file():
            # A result counts only while its file is there; the files go when all is packed.
            for key, choice in parts.items():
                found = self.state.get(CUT, key, stamp_of(choice.item)) or b""
                if not found.startswith(b"lost") and not _clip(clips, key).is_file():
                    self.state.drop(CUT, key)
        self._do(
            Stage(CUT, CutStage(self.request.place)),
            {
                key: CutTask(choice.item.name, choice.shot, _clip(clips, key))
                for key, choice in parts.items()
            },
            {key: choice.item for key, choice in parts.items()},
            lambda key, why: f"lost: {why}".encode(),
        )
        kept: dict[str, Kept] = {}
        for choice in list(chooser.passed()):
            sha256, cut = "", None
            if choice.key in parts:
                cut = _clip(clips, choice.key)
                sha256 = self._result(CUT, choice.key, choice.item).decode()
            if sha256.startswith("lost: "):
                chooser.lost(choice.key, sha256.removeprefix("lost: "))
                continue
            kept[choice.key] = Kept(
                choice.key,
                choice.item,
                choice.kind,
                choice.shot,
                choice.sha256,
                choice.companions,
                cut,
                sha256,
            )
        return kept

    def _do(
        self,
        stage: Stage,
        tasks: Mapping[str, Any],
        items: Mapping[str, Item],
        lost: Callable[[str, str], bytes],
    ) -> None:
        """Run a stage for whatever has no result yet."""
        todo = [
            Task(key, value)
            for key, value in tasks.items()
            if not self.state.has(stage.name, key, stamp_of(items[key]))
        ]
        done = len(tasks) - len(todo)
        self.progress(stage.name, done, len(tasks))
        for news in self.executor.run(stage, todo):
            if isinstance(news, Done):
                result, seconds = news.result, news.seconds
            else:
                result, seconds = lost(news.key, news.reason), 0.0
            self.state.put(stage.name, news.key, stamp_of(items[news.key]), result, seconds)
            done += 1
            self.progress(stage.name, done, len(tasks))

    def _result(self, stage: str, key: str, item: Item) -> bytes:
        found = self.state.get(stage, key, stamp_of(item))
        assert found is not None, f"{stage} has no result for {key}"
        return found

    def record(self, name: str) -> FileRecord:
        """What was measured of a file."""
        return FileRecord.from_json(self._result(MEASURE, name, self.listing.items[name]))

    def strip(self, name: str, shot: int) -> bytes:
        """A picture of a sample for the report; a copy that was never decoded has none."""
        found = self.state.get(MEASURE, name, stamp_of(self.listing.items[name]))
        return FileRecord.from_json(found).shots[shot].strip if found else b""


def _clip(folder: Path, key: str) -> Path:
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.mp4"
