"""From raw media to training shards, every verdict on record.

1. `listing`: files, captions, companions, licences. Whatever does not fit together is refused here.
2. Copies of the same bytes are set aside (`duplicates`).
3. `measure`, in worker processes: each file in one pass, all checks of tiers 1 and 2 (`reading`).
4. Of those that pass, near-duplicates go but for the best.
5. `judge`, in worker processes: tier 3, for those that are left.
6. `cut`, in worker processes: shots become clips of their own.
7. Ledger, report, shards; the manifest comes last, so a folder without one is not done.

Steps 3, 5 and 6 keep every result in `state` as it comes; the same command goes on there. All that
is written is made of those results in the order of names, so it does not depend on interruptions.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnireel.data.checks.base import Tier
from omnireel.data.checks.copies import ExactDuplicate
from omnireel.data.checks.policy import Policy
from omnireel.data.curate.choosing import Chooser
from omnireel.data.curate.cut import CutStage, CutTask
from omnireel.data.curate.duplicates import same_bytes
from omnireel.data.curate.inputs import Inputs, open_inputs
from omnireel.data.curate.judging import JudgeStage, JudgeTask
from omnireel.data.curate.ledger import LEDGER, TIMES, row_of, write_rows, write_times
from omnireel.data.curate.listing import Item, Listing, list_items
from omnireel.data.curate.measure import MeasureStage, lost_file
from omnireel.data.curate.packing import CuratedSource, Kept
from omnireel.data.curate.records import FileRecord
from omnireel.data.curate.report import REPORT, Report
from omnireel.data.curate.state import PART, WORK, State, open_state
from omnireel.data.executors import Done, Executor, LocalExecutor, Stage, Task
from omnireel.data.shards import Manifest, ShardWriterConfig, write_shards
from omnireel.data.shards.manifest import MANIFEST, read_manifest
from omnireel.errors import AlreadyExists, FailedPrecondition, InvalidInput
from omnireel.files import atomic_write, disk_errors
from omnireel.store.chunks import sha256_of

Progress = Callable[[str, int, int], None]
"""Told (stage, done, all) as the work goes on."""
FORMAT = 1
"""Of the state; raise it when records change."""
WITH_MODELS = 64 << 30
"""Address space of workers that hold models, which map far more than they touch."""
HASH, MEASURE, JUDGE, CUT = "hash", "measure", "judge", "cut"


@dataclass(frozen=True)
class CurateRequest:
    """What to curate, and how. ``address``: a folder, or ``s3://bucket/prefix?endpoint=..``."""

    address: str
    out: Path
    policy: Policy
    shards: ShardWriterConfig = field(default_factory=ShardWriterConfig)


@dataclass(frozen=True)
class Curated:
    """How it ended."""

    manifest: Manifest
    samples: int
    """All, whatever became of them."""
    ignored: tuple[str, ...]
    uncaptioned: int


def curate(
    request: CurateRequest,
    executor: Executor | None = None,
    progress: Progress = lambda stage, done, total: None,
    *,
    parts: Sequence[Path] = (),
) -> Curated:
    """Curate, or go on with it; ``parts`` are folders of :func:`measure_part`, not made again.

    Raises:
        InvalidInput, NotFound: the input is empty, missing, or does not fit together.
        AlreadyExists: ``out`` or a part holds other things, or work of another policy or input.
        FailedPrecondition: no sample passed; ledger and report say why.
        Unavailable, ResourceExhausted: a store or a disk gave out; the same command goes on.

    """
    _apart(request)
    inputs = open_inputs(request.address)
    listing = list_items(inputs, request.address)
    plan = _plan(request)
    with open_state(request.out, plan) as state:
        for folder in parts:
            state.take(folder, plan)
        run = _Run(request, inputs, listing, state, executor or LocalExecutor(), progress)
        return run.whole()


def measure_part(
    request: CurateRequest,
    number: int,
    of: int,
    executor: Executor | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> int:
    """Step 3 for one of ``of`` parts of the files (by their names), into a folder of its own.

    The rest compares samples with each other, and is done when all parts are gathered.

    Returns:
        How many files the part has.

    Raises:
        As :func:`curate`; InvalidInput: there is no such part.

    """
    if not 1 <= number <= of:
        raise InvalidInput(f"there is no part {number} of {of}", field="part")
    _apart(request)
    inputs = open_inputs(request.address)
    listing = list_items(inputs, request.address)
    others = {name: "" for name in listing.items if _part_of(name, of) != number}
    with open_state(request.out, {**_plan(request), PART: f"{number}-of-{of}"}) as state:
        run = _Run(request, inputs, listing, state, executor or LocalExecutor(), progress)
        run.measure(others)
    return len(listing.items) - len(others)


def _part_of(name: str, of: int) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16) % of + 1


def _plan(request: CurateRequest) -> dict[str, Any]:
    return {
        "policy": request.policy.name,
        "policy_sha256": request.policy.digest(),
        "input": _place(request.address),
        "seed": request.shards.seed,
        "shard_bytes": request.shards.shard_bytes,
        "format": FORMAT,
    }


@dataclass(frozen=True)
class _Run:
    """One run's parts; each method is one step of the module's list."""

    request: CurateRequest
    inputs: Inputs
    listing: Listing
    state: State
    executor: Executor
    progress: Progress

    def whole(self) -> Curated:
        """All steps."""
        copies = self._same_bytes()
        for name in copies:  # a part, which knows nothing of the others, may have measured it
            self.state.drop(MEASURE, name)
        self.measure(copies)
        chooser = Chooser(self.request.policy, self.listing, copies, self._record)
        chooser.near_copies()
        self._judge(chooser)
        return self._write(chooser, self._cut(chooser))

    def _same_bytes(self) -> dict[str, str]:
        if ExactDuplicate.name not in self.request.policy.bounds:
            return {}

        def known(item: Item) -> str | None:
            found = self.state.get(HASH, item.name, stamp_of(item))
            return None if found is None else found.decode()

        return same_bytes(
            list(self.listing.items.values()),
            self.inputs,
            known,
            lambda item, digest: self.state.put(
                HASH, item.name, stamp_of(item), digest.encode(), 0.0
            ),
            lambda done, total: self.progress("comparing files", done, total),
        )

    def measure(self, copies: Mapping[str, str]) -> None:
        """All files but ``copies``."""
        policy, items = self.request.policy, self.listing.items
        self._do(
            Stage(
                MEASURE,
                MeasureStage(_place(self.request.address), policy),
                memory_bytes=WITH_MODELS if policy.models.unsafe else Stage.memory_bytes,
            ),
            {name: item for name, item in items.items() if name not in copies},
            items,
            lambda name, why: lost_file(items[name], policy, why).to_json(),
        )

    def _judge(self, chooser: Chooser) -> None:
        policy = self.request.policy
        kinds = policy.checks(Tier.CROSS_MODAL)
        if not kinds:
            return
        choices = {choice.key: choice for choice in chooser.passed()}
        self._do(
            Stage(
                JUDGE,
                JudgeStage(_place(self.request.address), policy),
                gpus=max(kind.gpus for kind in kinds),
                memory_bytes=WITH_MODELS,
            ),
            {key: JudgeTask(choice.item, choice.shot, key) for key, choice in choices.items()},
            {key: choice.item for key, choice in choices.items()},
            lambda key, why: JudgeStage.lost(policy, key, why),
        )
        for key, choice in choices.items():
            chooser.judged(key, self._result(JUDGE, key, choice.item))

    def _cut(self, chooser: Chooser) -> dict[str, Kept]:
        """What passed, with a clip of its own for every shot that is a part of a file."""
        clips = self.request.out.resolve() / WORK / "clips"
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
            Stage(CUT, CutStage(_place(self.request.address))),
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

    def _write(self, chooser: Chooser, kept: dict[str, Kept]) -> Curated:
        out, policy = self.request.out, self.request.policy
        report = Report(policy, self._strip)
        count = {"samples": 0}

        def rows() -> Iterator[dict[str, Any]]:
            for name, shot, verdicts in chooser.verdicts():
                count["samples"] += 1
                report.add(name, shot, verdicts)
                yield from (row_of(verdict) for verdict in verdicts)

        with disk_errors(out), tempfile.TemporaryDirectory(dir=out / WORK) as folder:
            ledger = Path(folder, LEDGER)
            write_rows(ledger, rows())
            made_by = {
                "policy": policy.name,
                "policy_sha256": policy.digest(),
                "input": _place(self.request.address).rpartition("/")[2],
                "ledger_sha256": sha256_of(ledger),
            }
            if (out / MANIFEST).is_file():
                _same_as_before(out, made_by)
            else:
                write_times(out / TIMES, self.state.times())
                ledger.replace(out / LEDGER)
                atomic_write(out / REPORT, report.page(len(kept), count["samples"]).encode())
        if not kept:
            raise FailedPrecondition(
                f"none of {count['samples']} samples passed the policy {policy.name}; "
                f"{out / REPORT} shows why",
                reason="NOTHING_KEPT",
            )
        source = CuratedSource(self.inputs, kept, self._scores(chooser), policy.digest())
        manifest = write_shards(
            out,
            source,
            self.request.shards,
            made_by=made_by,
            report=lambda done, total: self.progress("packing samples", done, total),
        )
        shutil.rmtree(out / WORK / "clips", ignore_errors=True)
        uncaptioned = sum(not one.item.caption.text for one in kept.values())
        return Curated(manifest, count["samples"], self.listing.ignored, uncaptioned)

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

    def _record(self, name: str) -> FileRecord:
        return FileRecord.from_json(self._result(MEASURE, name, self.listing.items[name]))

    def _strip(self, name: str, shot: int) -> bytes:
        """A picture of a sample for the report; a copy that was never decoded has none."""
        found = self.state.get(MEASURE, name, stamp_of(self.listing.items[name]))
        return FileRecord.from_json(found).shots[shot].strip if found else b""

    def _scores(self, chooser: Chooser) -> Callable[[Kept], Mapping[str, Any]]:
        """What every check said of a sample."""

        def scores(kept: Kept) -> Mapping[str, Any]:
            verdicts = chooser.of(kept.key)
            return {v.check: v.outcome.value if v.score is None else v.score for v in verdicts}

        return scores


def stamp_of(item: Item) -> str:
    """Changes whenever the results of an item may."""
    facts = [
        [item.entry.size, item.entry.stamp],
        item.caption.text,
        [[c.entry.name, c.entry.size, c.entry.stamp, c.name, c.role] for c in item.companions],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def _clip(folder: Path, key: str) -> Path:
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.mp4"


def _apart(request: CurateRequest) -> None:
    """Refuse an output inside of the input, and the reverse."""
    if "://" in request.address:
        return
    given, out = Path(request.address).resolve(), request.out.resolve()
    if out.is_relative_to(given) or given.is_relative_to(out):
        raise InvalidInput(
            f"{request.out} and {request.address} lie inside of each other; the input is never "
            "written to, so choose another output folder",
            field="out",
        )


def _place(address: str) -> str:
    """An address in words that do not depend on where the command runs from."""
    return address if "://" in address else str(Path(address).resolve())


def _same_as_before(out: Path, made_by: Mapping[str, Any]) -> None:
    there = read_manifest(out).made_by
    if dict(there) != dict(made_by):
        raise AlreadyExists(
            f"{out} holds the finished shards of other files or verdicts; choose another folder, "
            "or delete it"
        )
