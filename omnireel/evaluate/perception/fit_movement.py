"""Fitting of the movement reader on whole clips of the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from omnireel.evaluate.perception.fit_scene import worsen
from omnireel.evaluate.perception.flow import place_flow
from omnireel.evaluate.perception.movement import NUM_FEATURES, MovementReader, features
from omnireel.evaluate.perception.observe import subject_masks
from omnireel.evaluate.perception.reader import F32, SHORT_SIDE, SceneReader
from omnireel.evaluate.perception.samples import labels
from omnireel.evaluate.perception.tracks import track_of
from omnireel.evaluate.perception.training import Indices, LoopConfig, fit_loop
from omnireel.types import Frames, VideoFormat
from omnireel.world.distribution import SceneDistribution
from omnireel.world.render import render_clip
from omnireel.world.sampler import sample_scene
from omnireel.world.scene import CAMERA_MOVES, COLORS, MOTIONS, Scene

FORMAT = VideoFormat(SHORT_SIDE, SHORT_SIDE, 17, 8.0)
UNKNOWN = -100
"""Motion of a clip without a subject; cross entropy passes it over."""


@dataclass(frozen=True)
class MovementSamplesConfig:
    """How many clips, and what is in them."""

    clips: int = 1500
    seed: int = 0x0EA2
    distribution: SceneDistribution = field(
        default_factory=lambda: SceneDistribution(
            two_bodies=0.25, other_style=0.15, moving_camera=0.5
        )
    )


def movement_samples(
    config: MovementSamplesConfig,
    reader: SceneReader,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[F32, Indices]:
    """Features (N, F) and classes (N, 2: motion, camera move); every clip also mirrored."""
    rng = np.random.default_rng(config.seed)
    torch.manual_seed(config.seed)
    rows, classes = [np.zeros((0, NUM_FEATURES), np.float32)], [np.zeros((0, 2), np.int64)]
    for done in range(config.clips):
        scene = sample_scene(rng, distribution=config.distribution)
        frames = render_clip(scene, FORMAT)
        if rng.random() < 0.5:
            video = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1.0
            shown = worsen(video, 1.0).permute(0, 2, 3, 1).add(1.0).mul(127.5).round()
            frames = shown.numpy().astype(np.uint8)
        for row, label in _rows(scene, frames, reader):
            rows.append(row[None])
            classes.append(np.array([label]))
        report(done + 1, config.clips)
    return np.concatenate(rows), np.concatenate(classes)


def _rows(
    scene: Scene, frames_THWC: Frames, reader: SceneReader
) -> list[tuple[F32, tuple[int, int]]]:
    """A row for each subject that is found and its mirror image, with the body's classes."""
    reading = reader.read(frames_THWC)
    masks = subject_masks(reading)
    truth = labels(scene, FORMAT)[0]
    out = []
    for mirrored in (False, True):
        flip = slice(None, None, -1 if mirrored else 1)
        frames = frames_THWC[:, :, flip]
        flow = place_flow(frames, reading.subject[:, :, flip])
        camera = CAMERA_MOVES.index(_mirror(scene.camera.move, mirrored))
        for mask in masks:
            votes = np.bincount(truth[mask > 0.5], minlength=len(COLORS) + 1)[1:]
            if votes.max() == 0:
                continue
            color = COLORS[int(votes.argmax())]
            owner = next(b for b in scene.bodies if b.material.color == color)
            motion = MOTIONS.index(_mirror(owner.motion.kind, mirrored))
            out.append((features(track_of(mask[:, :, flip], frames), flow), (motion, camera)))
        if not masks:
            out.append((features(None, flow), (UNKNOWN, camera)))
    return out


def _mirror(name: str, mirrored: bool) -> str:
    """The name that a motion or camera move has in a mirror."""
    if not mirrored or not name.endswith(("_left", "_right")):
        return name
    stem, _, side = name.rpartition("_")
    return f"{stem}_{'left' if side == 'right' else 'right'}"


def fit_movement_reader(rows_NF: F32, classes_N2: Indices, config: LoopConfig) -> MovementReader:
    """A movement reader fitted on features and their classes."""
    torch.manual_seed(config.seed)
    model = MovementReader()
    x = torch.from_numpy(rows_NF)
    model.mean.copy_(x.mean(0))
    model.std.copy_(x.std(0) + 1e-3)

    def loss(at: Indices) -> Tensor:
        seen = x[at] + 0.15 * model.std * torch.randn(len(at), NUM_FEATURES)
        motion, camera = model(seen)
        truth = torch.from_numpy(classes_N2[at])
        return F.cross_entropy(motion, truth[:, 0], label_smoothing=0.03) + F.cross_entropy(
            camera, truth[:, 1], label_smoothing=0.03
        )

    fit_loop("movement", model, len(rows_NF), loss, config)
    return model
