"""Make clips, code them, read them as the engine does, and ask every check."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from omnireel.data.bench.cases import Start, cases_of
from omnireel.data.bench.coding import CODECS, encode
from omnireel.data.bench.footage import Footage, good_clip
from omnireel.data.candidate import Candidate
from omnireel.data.checks import Measurement, Tier
from omnireel.data.checks.policy import ShotConfig
from omnireel.data.checks.registry import CHECKS
from omnireel.data.curate.reading import ReadShot, read_file

Split = Literal["choose", "report"]
GROUP = 4
"""Good clips that are made together; a clip is cut to the next one of its group."""


@dataclass(frozen=True)
class Row:
    """One clip: what it is, and what every check measured on it (None: not applicable)."""

    source: int
    case: str
    check: str
    """The check that the case is about; empty: a good clip as it is."""
    bad: bool
    strength: float
    scores: Mapping[str, float | None]
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def sources(split: Split, count: int) -> list[int]:
    """Numbers of good clips; the two splits share none, and none of their scenes."""
    first = 0 if split == "report" else 100_000
    return [first + i for i in range(count)]


def measure_all(
    numbers: list[int], workers: int, report: Callable[[int, int], None] = lambda done, total: None
) -> list[Row]:
    """Rows of all cases of the good clips, in a fixed order."""
    groups = [numbers[i : i + GROUP] for i in range(0, len(numbers), GROUP)]
    found: dict[int, list[Row]] = {}
    report(0, len(groups))
    for done, (index, rows) in enumerate(_each(groups, workers), start=1):
        found[index] = rows
        report(done, len(groups))
    return [row for _, rows in sorted(found.items()) for row in rows]


def measure_group(numbers: list[int]) -> list[Row]:
    """Rows of the cases of some good clips."""
    cv2.setNumThreads(1)
    clips = [good_clip(number) for number in numbers]
    rows: list[Row] = []
    for i, (number, clip) in enumerate(zip(numbers, clips, strict=True)):
        rows.append(_row(number, clip, "good", "", False, 0.0))
        start = Start(number, clip, _like(clips[(i + 1) % len(clips)], clip))
        for case in cases_of(number):
            rng = np.random.default_rng((number, sum(map(ord, case.name))))
            made, strength = case.make(start, rng)
            rows.append(_row(number, made, case.name, case.check, case.bad, strength))
    return rows


def read_footage(footage: Footage) -> Candidate:
    """The file of a clip, read by the engine as one shot."""
    data = encode(footage.frames, footage.fps, footage.codec, footage.quality)
    seen: list[ReadShot] = []
    with tempfile.TemporaryDirectory(prefix="omnireel-bench-") as folder:
        path = Path(folder, f"clip.{CODECS[footage.codec].container}")
        path.write_bytes(data)
        facts = read_file(path, ShotConfig(split=False), seen.append)
    return Candidate("clip", path, "", facts, frames=seen[0].frames if seen else None)


def scores_of(candidate: Candidate) -> dict[str, Measurement | None]:
    """What the checks of tier 2 measure on it."""
    return {c.name: c().measure(candidate) for c in CHECKS if c.tier is Tier.TEMPORAL}


def _row(number: int, footage: Footage, case: str, check: str, bad: bool, strength: float) -> Row:
    found = scores_of(read_footage(footage))
    return Row(
        number,
        case,
        check,
        bad,
        round(strength, 4),
        {name: None if m is None else round(m.score, 5) for name, m in found.items()},
        {name: m.detail for name, m in found.items() if m is not None and name == check},
    )


def _like(other: Footage, clip: Footage) -> Footage:
    """``other`` at the size and length of ``clip``."""
    count, height, width, _ = clip.frames.shape
    index = np.arange(count) % len(other.frames)
    frames = [
        cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        for frame in other.frames[index]
    ]
    return Footage(np.stack(frames), clip.fps)


def _each(groups: list[list[int]], workers: int) -> Iterator[tuple[int, list[Row]]]:
    if workers <= 1:
        yield from ((i, measure_group(group)) for i, group in enumerate(groups))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(measure_group, group): i for i, group in enumerate(groups)}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
