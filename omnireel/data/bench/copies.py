"""Near-duplicates with known truth: clips, changed copies of them, and strangers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from omnireel.data.bench import corrupt
from omnireel.data.bench.footage import Footage, good_clip
from omnireel.data.bench.run import read_footage
from omnireel.data.checks.near_duplicate import NearDuplicate
from omnireel.types import Frames

CHANGES = (
    "re-encoded", "rescaled", "cropped", "mirrored", "faster", "slower", "with a logo",
    "letterboxed", "a part", "cropped, mirrored, re-encoded", "a part, faster, rescaled",
)  # fmt: skip


@dataclass(frozen=True)
class CopiesFound:
    """Over all pairs of clips at a threshold."""

    pairs: int
    """Pairs that are copies."""
    found: int
    wrong: int
    """Pairs that are not, but were found."""
    strangers: int
    """Pairs that are not."""
    by_change: dict[str, tuple[int, int]]
    """Of each change: copies, and how many of them were found."""
    true_scores: tuple[float, ...]
    false_scores: tuple[float, ...]


def measure_copies(
    numbers: list[int],
    threshold: float,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> CopiesFound:
    """Two changed copies of each good clip, all clips in one index."""
    prints: list[tuple[str, bytes]] = []
    change_of: dict[str, str] = {}
    near = NearDuplicate()
    for i, number in enumerate(numbers):
        report(i, len(numbers))
        clip = good_clip(number)
        prints.append((f"{number}", near.fingerprint(read_footage(clip))))
        for j in range(2):
            change = CHANGES[(2 * i + j) % len(CHANGES)]
            key = f"{number}/{j}"
            copy = changed(clip, change, np.random.default_rng((number, j, 5)))
            prints.append((key, near.fingerprint(read_footage(copy))))
            change_of[key] = change
    report(len(numbers), len(numbers))
    return _judge(near, prints, change_of, threshold)


def _judge(
    near: NearDuplicate,
    prints: list[tuple[str, bytes]],
    change_of: dict[str, str],
    threshold: float,
) -> CopiesFound:
    scores = {(p.one, p.other): p.similarity for p in near.pairs(prints, 0.0)}
    true: list[float] = []
    false: list[float] = []
    by_change: dict[str, tuple[int, int]] = {}
    keys = sorted(key for key, _ in prints)
    for a, one in enumerate(keys):
        for other in keys[a + 1 :]:
            score = scores.get((one, other), 0.0)
            same = one.split("/")[0] == other.split("/")[0]
            if same and one in change_of:  # two changed copies of a third: not promised
                continue
            (true if same else false).append(score)
            if same:
                count, found = by_change.get(change_of[other], (0, 0))
                by_change[change_of[other]] = (count + 1, found + (score > threshold))
    return CopiesFound(
        len(true),
        sum(s > threshold for s in true),
        sum(s > threshold for s in false),
        len(false),
        by_change,
        tuple(true),
        tuple(s for s in false if s > 0),
    )


def changed(clip: Footage, change: str, rng: np.random.Generator) -> Footage:
    """A copy, changed as named, and coded anew with another codec."""
    frames, fps = clip.frames, clip.fps
    if "a part" in change:
        frames = frames[len(frames) // 4 : len(frames) * 9 // 10]
    if "cropped" in change:
        frames = _cropped(frames, rng.uniform(0.76, 0.95), rng)
    if "mirrored" in change:
        frames = frames[:, :, ::-1]
    if "rescaled" in change:
        frames = _rescaled(frames, rng.uniform(0.5, 1.6))
    if "logo" in change:
        frames = corrupt.stamp(frames, rng, 0.16, 1.0)
    if "letterboxed" in change:
        frames = _letterboxed(frames, rng.uniform(0.15, 0.35))
    if "faster" in change:
        fps *= rng.uniform(1.2, 1.6)
    if "slower" in change:
        fps *= rng.uniform(0.6, 0.85)
    codec, quality = [("h264", 34), ("vp9", 48), ("hevc", 34), ("mpeg4", 10)][rng.integers(4)]
    return Footage(frames, fps, codec, quality)


def _cropped(frames: Frames, share: float, rng: np.random.Generator) -> Frames:
    _, height, width, _ = frames.shape
    h, w = int(share * height) // 2 * 2, int(share * width) // 2 * 2
    y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    return frames[:, y : y + h, x : x + w]


def _rescaled(frames: Frames, scale: float) -> Frames:
    _, height, width, _ = frames.shape
    size = (round(width * scale / 2) * 2, round(height * scale / 2) * 2)
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])


def _letterboxed(frames: Frames, share: float) -> Frames:
    """The whole picture between bars above and below."""
    _, height, _, _ = frames.shape
    bar = round(height * share / (1 - share) / 4) * 2
    return np.pad(frames, ((0, 0), (bar, bar), (0, 0), (0, 0)))
