"""How well the subject of a clip is found, against the truth.

Run with ``python -m tests.bench.data.masks``; minutes on one core. Clips of the world with one body
(192x192, 25 frames) that moves before a camera that stands, or under one that moves, or that stands
still itself; and dead leaves with one thing before a camera that stands, pans or zooms, coded as
H.264. ``--sheet`` leaves pictures: what is not the subject is dark, the truth is outlined.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from omnireel.data.bench.coding import encode
from omnireel.data.bench.filming import Filming, film_with_truth
from omnireel.data.synthesis.segment import find_subject
from omnireel.data.synthesis.views import Mask
from omnireel.media import read_clip
from omnireel.types import Frames, VideoFormat
from omnireel.world.distribution import SceneDistribution
from omnireel.world.render import render_clip
from omnireel.world.sampler import sample_scene
from omnireel.world.scene import Scene
from omnireel.world.truth import render_truth

FORMAT = VideoFormat(192, 192, 25, 12.0)
ALONE = SceneDistribution(two_bodies=0.0, other_style=0.0, moving_camera=0.4)
FILMED = Filming(width=360, height=240, things=1, size=0.26)
CAMERAS = {
    "filmed, camera stands": FILMED,
    "filmed, camera pans": replace(FILMED, pan=(0.14, 0.02)),
    "filmed, camera zooms": replace(FILMED, zoom=0.14),
}
KINDS = ("moves, camera stands", "moves, camera moves", "stands still")


@dataclass(frozen=True, eq=False)
class Shown:
    """A clip with the truth about its subject."""

    kind: str
    frames: Frames
    truth: Mask


def kind_of(scene: Scene) -> str:
    if scene.bodies[0].motion.kind == "still":
        return KINDS[2]
    return KINDS[0] if scene.camera.move == "static" else KINDS[1]


def of_the_world(seed: int, count: int) -> Iterator[Shown]:
    """``count`` clips of each kind."""
    want, number = dict.fromkeys(KINDS, count), 0
    while any(want.values()):
        rng = np.random.default_rng([seed, number])
        number += 1
        scene = sample_scene(
            rng, split="held_out", duration_s=FORMAT.duration_s, max_bodies=1, distribution=ALONE
        )
        kind = kind_of(scene)
        if want[kind]:
            want[kind] -= 1
            (truth,) = render_truth(scene, FORMAT).masks.values()
            yield Shown(kind, render_clip(scene, FORMAT), truth)


def filmed(seed: int, count: int) -> Iterator[Shown]:
    """``count`` clips of each camera."""
    for kind, config in CAMERAS.items():
        for number in range(count):
            rng = np.random.default_rng([seed, number])
            frames, truth = film_with_truth(rng, config)
            data = encode(frames, config.fps, "h264", 23)
            yield Shown(kind, read_clip(data, with_audio=False).frames_THWC, truth)


def sheet_row(shown: Shown, found: Mask | None) -> Frames:
    """Four frames: what is not found is dark, the truth is outlined."""
    cells = []
    for t in np.linspace(0, len(shown.frames) - 1, 4).round().astype(int):
        frame = shown.frames[t].copy()
        frame[~found[t] if found is not None else ...] //= 4
        outlines, _ = cv2.findContours(
            shown.truth[t].astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cells.append(cv2.drawContours(frame, outlines, -1, (255, 0, 255), 1))
    row = np.hstack(cells)
    return np.asarray(cv2.resize(row, (960, 960 * row.shape[0] // row.shape[1])), np.uint8)


def main() -> None:
    """Print a line per kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40, help="clips of each kind of the world")
    parser.add_argument("--filmed", type=int, default=12, help="clips of each filming camera")
    parser.add_argument("--seed", type=int, default=902)
    parser.add_argument("--sheet", type=Path, help="a PNG to write")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    overlaps: dict[str, list[float]] = {}
    took: dict[str, list[float]] = {}
    rows = []
    for source in (of_the_world(options.seed, options.count), filmed(options.seed, options.filmed)):
        for shown in source:
            began = time.process_time()
            subject = find_subject(shown.frames)
            took.setdefault(shown.kind, []).append(
                (time.process_time() - began) / len(shown.frames)
            )
            overlap = -1.0
            found = None if subject is None else subject.mask_THW
            if found is not None:
                overlap = float((found & shown.truth).sum() / (found | shown.truth).sum())
            overlaps.setdefault(shown.kind, []).append(overlap)
            if options.sheet and len(overlaps[shown.kind]) <= 6:
                rows.append(sheet_row(shown, found))
    for kind, values in overlaps.items():
        seen = np.array(values)
        print(
            f"{kind:<24}{len(seen):3d} clips, {(seen >= 0).sum():3d} found, "
            f"{(seen > 0.6).sum():3d} with overlap above 0.6, {(seen > 0.8).sum():3d} above 0.8; "
            f"median overlap {np.median(seen[seen >= 0]) if (seen >= 0).any() else 0:.2f}; "
            f"{1000 * np.mean(took[kind]):.0f} ms of one core a frame"
        )
    if options.sheet:
        width = max(row.shape[1] for row in rows)
        rows = [np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0))) for row in rows]
        cv2.imwrite(str(options.sheet), np.vstack(rows)[..., ::-1])


if __name__ == "__main__":
    main()
