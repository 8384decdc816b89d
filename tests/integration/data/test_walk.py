"""The walk of docs/data.md, command by command: a folder of footage to a look that is served."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from omnireel.data.shards import ShardReader
from omnireel.media import read_clip
from omnireel.types import Frames
from tests.support.footage import write_video

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/data.md").read_text()
SHORT = {
    "train": "--set trainer.num_steps=2 --set batch_size=2 --set previews=1 --mlflow off",
    "up": "--home stack --port 0 --http-port 0",
    "down": "--home stack",
    "generate": "--seed 1",
}
"""What the test adds to a command, so that it is short and keeps to its folder."""


def filmed(seed: int) -> Frames:
    """Three seconds of a hand-held camera over rough ground, with somebody in a bright coat."""
    rng = np.random.default_rng(seed)
    height, width, count = 240, 426, 48
    ground = sum(_rough(rng, size) for size in (5, 19, 90)) / 3
    y, x = np.mgrid[:height, :width]
    coat = ((240, 235, 225), (40, 80, 220), (240, 215, 40))[seed]
    frames = []
    for t in range(count):
        left, top = t + int(3 * np.sin(t / 5)), 20 + int(4 * np.sin(t / 7 + seed))
        picture = ground[top : top + height, left : left + width]
        inside = (np.abs(x - 50 - 6 * t) < 36) & (np.abs(y - 125 - 25 * np.sin(t / 4)) < 70)
        picture = np.where(inside[..., None], 0.15 * picture + 0.85 * np.array(coat), picture)
        frames.append(picture + rng.normal(0, 1, (height, width, 1)))
    return np.stack(frames).clip(0, 255).astype(np.uint8)


def _rough(rng: np.random.Generator, size: int) -> npt.NDArray[np.float32]:
    """Smooth coloured noise with grains of so many pixels, ``(290, 490, 3)``."""
    small = rng.integers(0, 255, (290 // size + 2, 490 // size + 2, 3), dtype=np.uint8)
    return np.asarray(
        Image.fromarray(small).resize((490, 290), Image.Resampling.BICUBIC), np.float32
    )


def test_every_command_of_the_walk_works(tmp_path: Path) -> None:
    for seed in range(3):
        write_video(tmp_path / f"footage/walk{seed}.mp4", filmed(seed), 16, options={"crf": "14"})
        (tmp_path / f"footage/walk{seed}.txt").write_text("somebody walks over rough ground")
    block = re.search(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "OMNIREEL_HOME": str(tmp_path / "stack"),
    }
    lines = block[1].splitlines()
    try:
        for line in lines:
            words = shlex.split(f"{line} {SHORT.get(line.split()[1], '')}")
            assert words[0] == "omnireel"
            done = subprocess.run(
                [sys.executable, "-m", "omnireel.cli.main", *words[1:]],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    finally:
        down = [sys.executable, "-m", "omnireel.cli.main", "down", "--home", "stack"]
        subprocess.run(down, cwd=tmp_path, env=environment, capture_output=True, check=False)

    assert len(ShardReader(tmp_path / "curated")) == 3
    assert (tmp_path / "runs/look/adapter").is_dir()
    clip = read_clip(tmp_path / "ball.mp4")
    assert len(clip.frames_THWC) == 17
