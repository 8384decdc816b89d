"""The stage of tiers 1 and 2: a file in one pass -> its record."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from omnireel.data.candidate import Candidate, Companion, FileFacts, SampledFrames, Shot
from omnireel.data.checks.base import (
    Check,
    NearDuplicates,
    Outcome,
    Tier,
    Verdict,
    judge,
    verdict_of,
)
from omnireel.data.checks.container import Readable
from omnireel.data.checks.policy import Policy, ShotConfig
from omnireel.data.checks.registry import DUPLICATES
from omnireel.data.curate.companions import decoded
from omnireel.data.curate.inputs import Inputs, open_inputs
from omnireel.data.curate.listing import Item
from omnireel.data.curate.reading import ReadShot, read_file, whole_if_alone
from omnireel.data.curate.records import FileRecord, ShotRecord
from omnireel.media.sheet import spread
from omnireel.store.chunks import sha256_of
from omnireel.types import MediaKind

_STRIP_FRAMES = 4
_STRIP_HEIGHT = 96


def near_duplicates(policy: Policy) -> NearDuplicates | None:
    """The finder of near-duplicates, if the policy asks for one."""
    for kind in DUPLICATES:
        if issubclass(kind, NearDuplicates) and kind.name in policy.bounds:
            return kind()
    return None


@dataclass(frozen=True)
class MeasureStage:
    """Makes the function that measures files of an input; picklable."""

    address: str
    policy: Policy

    def __call__(self) -> Callable[[Item, Callable[[], None]], bytes]:
        """Load what the checks need."""
        # Workers share the cores; threads for pictures this small cost more than they save.
        cv2.setNumThreads(1)
        kinds = self.policy.checks(Tier.BASIC, Tier.TEMPORAL)
        checks = tuple(kind.load(self.policy.models) for kind in kinds)
        inputs = open_inputs(self.address)
        near = near_duplicates(self.policy)

        def measure(item: Item, beat: Callable[[], None]) -> bytes:
            return measure_file(inputs, item, self.policy, checks, near, beat).to_json()

        return measure


def measure_file(
    inputs: Inputs,
    item: Item,
    policy: Policy,
    checks: tuple[Check, ...],
    near: NearDuplicates | None,
    beat: Callable[[], None] = lambda: None,
) -> FileRecord:
    """Read a file once and ask all checks about each of its shots.

    Checks that need frames are asked when the shot ends, the others when the file has been read.

    Raises:
        NotFound, Unavailable, ResourceExhausted: the input changed, cannot be reached, or there is
            no space for a copy of it.

    """
    seen: list[ShotRecord] = []

    def ask(candidate: Candidate, *, frames: bool) -> tuple[Verdict, ...]:
        return tuple(
            judge(check, policy.bounds[check.name], candidate)
            for check in checks
            if check.needs_frames == frames
        )

    with ExitStack() as stack:
        blank, problem = blank_candidate(stack, inputs, item)
        if not problem and any(check.needs_companions for check in checks):
            companions = tuple(decoded(companion, beat) for companion in blank.companions)
            blank = replace(blank, companions=companions)

        def on_shot(read: ReadShot) -> None:
            candidate = replace(blank, file=read.facts, shot=read.shot, frames=read.frames)
            fingerprint = near.fingerprint(candidate) if near else b""
            verdicts = ask(candidate, frames=True)
            seen.append(ShotRecord(read.shot, verdicts, fingerprint, strip_of(read.frames)))
            beat()

        facts = blank.file
        if not problem:
            facts = read_file(blank.path, shots_of(item, policy), on_shot, beat=beat)
        if not seen:
            return _undecoded(item, policy, facts, blank.sha256)
        whole = whole_if_alone([record.shot for record in seen])
        record = FileRecord(
            item.name,
            blank.sha256,
            facts,
            tuple(replace(r, shot=shot) for r, shot in zip(seen, whole, strict=True)),
            {
                file.entry.name: companion.sha256
                for file, companion in zip(item.companions, blank.companions, strict=True)
            },
        )
        return replace(
            record,
            shots=tuple(
                _finished(
                    record, shot, ask(replace(blank, file=facts, shot=shot.shot), frames=False)
                )
                for shot in record.shots
            ),
        )


def lost_file(item: Item, policy: Policy, reason: str) -> FileRecord:
    """The record of a file that killed its worker: it is never opened again."""
    return _undecoded(item, policy, FileFacts(MediaKind.VIDEO, item.entry.size, error=reason))


def _undecoded(item: Item, policy: Policy, facts: FileFacts, sha256: str = "") -> FileRecord:
    """The record of a file that gave no picture: only whether it is readable is asked."""
    blank = Candidate(item.name, Path(item.name), sha256, facts)
    verdicts = []
    for kind in policy.checks(Tier.BASIC, Tier.TEMPORAL):
        bounds = policy.bounds[kind.name]
        if kind is Readable:
            verdicts.append(judge(Readable(), bounds, blank))
        else:
            verdicts.append(verdict_of(kind, bounds, item.name, Outcome.SKIPPED, "not readable"))
    return FileRecord(item.name, sha256, facts, (ShotRecord(Shot(), tuple(verdicts)),))


def shots_of(item: Item, policy: Policy) -> ShotConfig:
    """How a file is cut; one with companions stays whole, for they go with all of it."""
    return replace(policy.shots, split=policy.shots.split and not item.companions)


def strip_of(frames: SampledFrames) -> bytes:
    """A small JPEG of some frames side by side, for the report."""
    chosen = frames.working.at(spread(len(frames.times_s), _STRIP_FRAMES))
    height, width = chosen.luma.shape[1:]
    size = (max(1, round(width * _STRIP_HEIGHT / height)), _STRIP_HEIGHT)
    row = Image.fromarray(np.concatenate(list(chosen.thumbnails(size)), axis=1))
    buffer = io.BytesIO()
    row.save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


def _finished(record: FileRecord, shot: ShotRecord, on_facts: tuple[Verdict, ...]) -> ShotRecord:
    key = record.key(shot)
    return replace(
        shot, verdicts=tuple(replace(v, sample=key) for v in (*on_facts, *shot.verdicts))
    )


def blank_candidate(stack: ExitStack, inputs: Inputs, item: Item) -> tuple[Candidate, str]:
    """The candidate without frames, and why its file cannot be read at all (empty: it can)."""
    problem, path, sha256 = "", Path(item.name), ""
    companions: list[Companion] = []
    try:
        for file in item.companions:
            local = stack.enter_context(inputs.local(file.entry.name))
            companions.append(Companion(file.name, file.role, local, file.kind, sha256_of(local)))
        path = stack.enter_context(inputs.local(item.name))
        sha256 = sha256_of(path)
    except OSError as error:
        problem = error.strerror or type(error).__name__
        companions += [
            Companion(file.name, file.role, Path(file.entry.name), file.kind)
            for file in item.companions[len(companions) :]
        ]
    facts = FileFacts(MediaKind.VIDEO, item.entry.size, error=problem)
    candidate = Candidate(
        item.name, path, sha256, facts, caption=item.caption.text, companions=tuple(companions)
    )
    return candidate, problem
