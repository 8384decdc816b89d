"""Frames per second of the procedural world on one core.

Run ``python tests/bench/bench_world.py``; it renders a fixed mix of scenes with one to three bodies
(every place, motion and camera move, primitives and characters) and prints one line per size.
"""

from __future__ import annotations

import time

import numpy as np

from omnireel.types import VideoFormat
from omnireel.world.render import render_clip
from omnireel.world.scene import (
    CAMERA_MOVES,
    CHARACTERS,
    COLORS,
    MOTIONS,
    PLACES,
    SHAPES,
    STYLES,
    TEXTURES,
    WEATHERS,
    Body,
    Camera,
    Material,
    Motion,
    Scene,
)

CLIPS = 24


def scenes(count: int, *, plain: bool) -> list[Scene]:
    """A fixed mix; ``plain`` leaves out characters, weather and styles."""
    rng = np.random.default_rng(0)
    out = []
    for index in range(count):
        bodies = []
        for k in range(1 + index % 3):
            character = not plain and (index + k) % 3 == 0
            kinds = CHARACTERS if character else SHAPES
            bodies.append(
                Body(
                    id=f"body{k}",
                    kind=str(rng.choice(kinds)),
                    material=Material(str(rng.choice(COLORS)), str(rng.choice(TEXTURES))),
                    size=1.2 if character else 0.9,
                    position=(1.1 * ((k + 1) // 2) * (-1) ** k, 0.0, -0.4 * k),
                    motion=Motion(MOTIONS[(index + k) % len(MOTIONS)]),
                )
            )
        move = "static" if index % 2 == 0 else str(rng.choice(CAMERA_MOVES))
        out.append(
            Scene(
                tuple(bodies),
                place=PLACES[index % len(PLACES)],
                weather="clear" if plain or index % 4 else str(rng.choice(WEATHERS)),
                style="natural" if plain or index % 5 else str(rng.choice(STYLES)),
                camera=Camera(move=move),
                seed=index,
            )
        )
    return out


def main() -> None:
    """Print milliseconds per clip and frames per second."""
    for plain in (True, False):
        for size in (64, 128):
            mix = scenes(CLIPS, plain=plain)
            fmt = VideoFormat(size, size, 17, 8.0)
            render_clip(mix[0], fmt)
            start = time.process_time()
            for scene in mix:
                render_clip(scene, fmt)
            seconds = (time.process_time() - start) / CLIPS
            name = "primitives" if plain else "all"
            print(f"{name:10} {size}x{size}x17: {seconds * 1e3:6.1f} ms, {17 / seconds:6.0f} fps")


if __name__ == "__main__":
    main()
