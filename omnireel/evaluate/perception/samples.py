"""What the scene reader is fitted on: frames of the world with their exact labels.

Some subjects are cut into tiles and put together wrongly; their kind is then ``BROKEN``, so that
the reader does not call scattered fragments by the name of what they were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from omnireel.evaluate.perception.reader import (
    BROKEN,
    COLOR_CLASSES,
    KIND_CLASSES,
    SHORT_SIDE,
    STRIDE,
)
from omnireel.types import Frames, VideoFormat
from omnireel.world.distribution import SceneDistribution
from omnireel.world.holdout import Split
from omnireel.world.render import render_clip
from omnireel.world.sampler import sample_scene
from omnireel.world.scene import PLACES, STYLES, WEATHERS, Scene
from omnireel.world.truth import render_truth

U8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class SamplesConfig:
    """How many scenes, and how often the rare things occur in them."""

    scenes: int = 3500
    frames_per_scene: int = 4
    seed: int = 0x0EA1
    """Starts a stream of its own; neither training nor evaluation cases draw from it."""
    empty: float = 0.06
    broken: float = 0.10
    held_out: float = 0.10
    distribution: SceneDistribution = field(
        default_factory=lambda: SceneDistribution(
            two_bodies=0.35, other_style=0.30, effect=0.08, small=0.2
        )
    )


@dataclass(frozen=True, eq=False)
class Samples:
    """Frames ``NHWC`` with labels: ``color_Nhw`` and ``kind_Nhw`` per cell (indices of the class
    tuples; 0 is no subject, so kinds count from 1), ``whole_N3`` (place, weather, style) per frame.
    """

    frames_NHWC: Frames
    color_Nhw: U8
    kind_Nhw: U8
    whole_N3: U8


def draw_samples(
    config: SamplesConfig, report: Callable[[int, int], None] = lambda done, total: None
) -> Samples:
    """Render the samples; equal configurations give equal bytes."""
    rng = np.random.default_rng(config.seed)
    parts = []
    for done in range(config.scenes):
        parts.append(_of_scene(_scene(rng, config), config, rng))
        report(done + 1, config.scenes)
    return Samples(
        np.concatenate([p.frames_NHWC for p in parts]),
        np.concatenate([p.color_Nhw for p in parts]),
        np.concatenate([p.kind_Nhw for p in parts]),
        np.concatenate([p.whole_N3 for p in parts]),
    )


def _scene(rng: np.random.Generator, config: SamplesConfig) -> Scene:
    split: Split = "held_out" if rng.random() < config.held_out else "train"
    scene = sample_scene(rng, split=split, distribution=config.distribution)
    if rng.random() < config.empty:
        scene = replace(scene, bodies=(), effect="none", effect_on="")
    return scene


def _of_scene(scene: Scene, config: SamplesConfig, rng: np.random.Generator) -> Samples:
    count = config.frames_per_scene
    fmt = VideoFormat(SHORT_SIDE, SHORT_SIDE, count, count / scene.duration_s)
    frames = render_clip(scene, fmt)
    color, kind = labels(scene, fmt)
    if scene.bodies and rng.random() < config.broken:
        for t in range(count):
            _break(frames[t], color[t], kind[t], rng)
    whole = [PLACES.index(scene.place), WEATHERS.index(scene.weather), STYLES.index(scene.style)]
    return Samples(frames, color, kind, np.tile(np.array(whole, np.uint8), (count, 1)))


def labels(scene: Scene, fmt: VideoFormat) -> tuple[U8, U8]:
    """Colour and kind class per cell (T, h, w): those of the body that fills most of the cell."""
    t, h, w = fmt.num_frames, fmt.height // STRIDE, fmt.width // STRIDE
    color, kind = np.zeros((2, t, h, w), np.uint8)
    if not scene.bodies:
        return color, kind
    masks = render_truth(scene, fmt).masks
    shares = np.stack(
        [
            masks[b.id].reshape(t, h, STRIDE, w, STRIDE).astype(np.float32).mean((2, 4))
            for b in scene.bodies
        ]
    )
    most = shares.argmax(0)
    shown = shares.max(0) >= 0.5
    for index, body in enumerate(scene.bodies):
        at = shown & (most == index)
        color[at] = COLOR_CLASSES.index(body.material.color)
        kind[at] = 1 + KIND_CLASSES.index(body.kind)
    return color, kind


def _break(frame: Frames, color: U8, kind: U8, rng: np.random.Generator) -> None:
    """Swap tiles within the subjects' box, in place."""
    rows, columns = np.nonzero(kind)
    if len(rows) < 24:
        return
    tiles = int(rng.integers(2, 4))
    top, left = int(rows.min()), int(columns.min())
    th, tw = (int(rows.max()) + 1 - top) // tiles, (int(columns.max()) + 1 - left) // tiles
    if min(th, tw) < 2:
        return
    boxes = [(top + i * th, left + j * tw) for i in range(tiles) for j in range(tiles)]
    order = rng.permutation(len(boxes))
    old = frame.copy(), color.copy()
    for (y, x), source in zip(boxes, order, strict=True):
        sy, sx = boxes[source]
        color[y : y + th, x : x + tw] = old[1][sy : sy + th, sx : sx + tw]
        s = STRIDE
        frame[y * s : (y + th) * s, x * s : (x + tw) * s] = old[0][
            sy * s : (sy + th) * s, sx * s : (sx + tw) * s
        ]
    kind[:] = np.where(color > 0, 1 + KIND_CLASSES.index(BROKEN), 0)
