"""Candidates made of arrays, as if the engine had decoded them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from omnireel.data.candidate import Candidate, FileFacts, SampledFrames
from omnireel.data.gray import gray_of
from omnireel.data.pictures import Drawn
from omnireel.types import Frames, MediaKind

WIDTH, HEIGHT = 192, 112


def scene(seed: int, width: int = WIDTH, height: int = HEIGHT) -> Frames:
    """One picture with sharp edges at many scales."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), rng.integers(60, 190, 3), np.uint8)
    for size in np.linspace(0.5, 0.06, 90):
        w, h = (int(size * height * rng.uniform(0.5, 1.5)) + 2 for _ in range(2))
        x, y = int(rng.integers(-w, width)), int(rng.integers(-h, height))
        color = tuple(int(c) for c in rng.integers(20, 230, 3))
        cv2.rectangle(picture, (x, y), (x + w, y + h), color, -1)
    return picture


def pan(picture: Frames, count: int, step: float) -> Frames:
    """A window of :data:`WIDTH` that moves ``step`` pixels a frame over a wider picture."""
    return np.stack(
        [
            cv2.getRectSubPix(
                picture, (WIDTH, HEIGHT), ((WIDTH - 1) / 2 + step * i, (HEIGHT - 1) / 2)
            )
            for i in range(count)
        ]
    )


def still(seed: int, count: int = 12) -> Frames:
    """The same picture again and again."""
    return np.repeat(scene(seed)[None], count, axis=0)


def with_thing(frames: Frames, step: float, size: int = 36) -> Frames:
    """A square that moves ``step`` pixels a frame before the frames."""
    out = frames.copy()
    thing = scene(99, size, size)
    for i in range(len(out)):
        x = int(20 + step * i)
        out[i, 40 : 40 + size, x : x + size] = thing
    return out


def seen(frames: Frames, *, fps: float = 8.0, details: int = 3, bits: float = 0.5) -> Candidate:
    """A clip whose every frame is a working frame; some are frames of full resolution too."""
    times = np.arange(len(frames)) / fps
    chosen = np.linspace(0, len(frames) - 1, details).astype(int)
    facts = FileFacts(
        MediaKind.VIDEO,
        1,
        "mp4",
        "h264",
        frames.shape[2],
        frames.shape[1],
        fps,
        seen_s=len(frames) / fps,
        bits_per_pixel=bits,
    )
    sampled = SampledFrames(
        Drawn(frames),
        times,
        bursts=(gray_of(frames[:8]),),
        burst_times_s=(times[:8],),
        details=tuple(Drawn(frames[i]) for i in chosen),
        detail_times_s=tuple(times[i] for i in chosen),
    )
    return Candidate("clip", Path("clip.mp4"), "", facts, frames=sampled)
