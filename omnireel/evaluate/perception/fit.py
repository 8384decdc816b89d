"""Fit the oracles' eyes: ``python -m omnireel.evaluate.perception.fit``.

1. Render frames of the world with their exact labels (``samples``).
2. Fit the scene reader on the frames, sharp and blurred.
3. Fit the subject reader on the subjects that the scene reader finds.
4. Render clips and fit the movement reader on the tracks found in them.

Takes about twenty minutes on one CPU core; equal arguments give equal readers on equal hardware.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

from omnireel.evaluate.perception.eyes import Perception, load_perception, save_perception
from omnireel.evaluate.perception.fit_movement import (
    MovementSamplesConfig,
    fit_movement_reader,
    movement_samples,
)
from omnireel.evaluate.perception.fit_scene import fit_scene_reader, fit_subject_reader
from omnireel.evaluate.perception.samples import SamplesConfig, draw_samples
from omnireel.evaluate.perception.training import LoopConfig
from omnireel.shipped import SHIPPED_ORACLE

SCENE_PASSES, SUBJECT_PASSES, MOVEMENT_PASSES = 5.0, 8.0, 60.0


def main() -> None:
    """Render, fit and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=SHIPPED_ORACLE, help="component folder")
    parser.add_argument("--scenes", type=int, default=SamplesConfig.scenes)
    parser.add_argument("--clips", type=int, default=MovementSamplesConfig.clips)
    parser.add_argument("--passes", type=float, default=SCENE_PASSES, help="over the frames")
    parser.add_argument("--init-from", type=Path, help="go on from the scene reader in here")
    args = parser.parse_args()
    started = time.monotonic()
    samples = draw_samples(SamplesConfig(scenes=args.scenes), _report("scenes"))
    start = load_perception(args.init_from).scene if args.init_from else None
    scene = fit_scene_reader(samples, LoopConfig(args.passes), start)
    subject = fit_subject_reader(samples, scene, LoopConfig(SUBJECT_PASSES, 64, 3e-3))
    rows, classes = movement_samples(
        MovementSamplesConfig(clips=args.clips), scene, _report("clips")
    )
    movement = fit_movement_reader(
        rows, classes, LoopConfig(MOVEMENT_PASSES, 128, 3e-3, 0.1, log_every=500)
    )
    card = {
        "title": "Omnireel oracle",
        "summary": "Reads subjects, colours, kinds, motions, places and styles off frames of the "
        "procedural world: the eyes of `omnireel eval`. It never sees the prompt.",
        "command": shlex.join(["python", "-m", "omnireel.evaluate.perception.fit", *sys.argv[1:]]),
        "data": f"{len(samples.frames_NHWC)} frames and {args.clips} clips of the procedural world",
        "wall_time_s": round(time.monotonic() - started),
        "limits": ["Knows nothing but the procedural world.", "One or two subjects."],
    }
    save_perception(args.out, Perception(scene, subject, movement), card)
    print(args.out)


def _report(what: str) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        if done % 250 == 0 or done == total:
            print(f"rendered {done}/{total} {what}", flush=True)

    return report


if __name__ == "__main__":
    main()
