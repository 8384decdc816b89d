"""Which motion a subject makes and which move the camera makes, from tracks and place flow.

Tracks and flow are summarised by numbers with a plain meaning (net path, range, roughness, the
strength and phase of slow waves, change of look), once as seen and once with the camera's move
taken out; a network with one hidden layer, fitted on the world, turns them into classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from omnireel.evaluate.perception.flow import Flow
from omnireel.evaluate.perception.reader import F32
from omnireel.evaluate.perception.tracks import LAGS, ScreenTrack
from omnireel.world.scene import CAMERA_MOVES, MOTIONS

POINTS = 17
"""Tracks are brought to so many points over the clip."""
WAVES = 6
"""Waves per clip up to which tracks are analysed."""
HIDDEN = 48
CURVE_FEATURES = 5 + WAVES
TRACK_FEATURES = 9 * CURVE_FEATURES + 3 * 4 + len(LAGS) + 6
NUM_FEATURES = TRACK_FEATURES + 3 * CURVE_FEATURES + 7


class MovementReader(nn.Module):
    """Logits of motions and camera moves from features ``NF``."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(NUM_FEATURES))
        self.register_buffer("std", torch.ones(NUM_FEATURES))
        self.hidden = nn.Linear(NUM_FEATURES, HIDDEN)
        self.out = nn.Linear(HIDDEN, len(MOTIONS) + len(CAMERA_MOVES))

    def forward(self, features_NF: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, motions) and (N, camera moves)."""
        x = ((features_NF - self.mean) / self.std).clamp(-4.0, 4.0)
        motion, camera = self.out(torch.relu(self.hidden(x))).split(
            [len(MOTIONS), len(CAMERA_MOVES)], dim=-1
        )
        return motion, camera

    @torch.inference_mode()
    def read(self, features_F: F32) -> tuple[F32, F32]:
        """Probabilities of motions and of camera moves."""
        motion, camera = self(torch.from_numpy(features_F)[None])
        return motion[0].softmax(0).numpy(), camera[0].softmax(0).numpy()


def features(track: ScreenTrack | None, flow: Flow) -> F32:
    """The numbers that motion is told by; a clip without a subject has zeros for its track."""
    camera = _camera_features(flow)
    if track is None:
        return np.concatenate([np.zeros(TRACK_FEATURES, np.float32), camera])
    x, y = _points(track.x_T), _points(track.y_T)
    size = _points(0.5 * np.log(np.maximum(track.area_T, 1e-4)))
    aspect = _points(track.width_T / np.maximum(track.height_T, 1e-3))
    height = _points(track.height_T)
    cam_x, cam_y, cam_s = (
        _points(_cumulated(v)) for v in (flow.shift_x, flow.shift_y, flow.growth)
    )
    growth = np.exp(-cam_s)
    parts = [
        _curve(x), _curve(y), _curve(size), _curve(aspect), _curve(height),
        _curve(_points(track.lean_T)),
        _curve((x - cam_x) * growth), _curve((y - cam_y) * growth), _curve(size - cam_s),
        _together(x, size), _together(x, y), _together(y, size),
        np.log(track.change_L + 0.01),
        [float(np.abs(np.diff(y)).max()), float(np.abs(np.diff(x)).max()), float(size.mean()),
         float(x.mean()), float(y.mean()), float(track.seen_T.mean())],
    ]  # fmt: skip
    out: F32 = np.concatenate([np.asarray(p, np.float32) for p in parts])
    return np.concatenate([out, camera])


def _points(values_T: npt.NDArray[np.floating[Any]]) -> F32:
    out: F32 = np.interp(
        np.linspace(0, 1, POINTS), np.linspace(0, 1, max(len(values_T), 1)), values_T
    ).astype(np.float32)
    return out


def _cumulated(values_T: F32) -> F32:
    """Sums from the middle of the clip, where the camera's framing is the nominal one."""
    path = np.concatenate([[0.0], np.cumsum(values_T)])
    out: F32 = (path - path[len(path) // 2]).astype(np.float32)
    return out


def _curve(v: F32) -> F32:
    """Net change, range, roughness, turns, and the strength of slow waves of one curve."""
    net = v[-3:].mean() - v[:3].mean()
    slope = np.linspace(-0.5, 0.5, len(v)) * net
    rest = v - slope - v.mean()
    steps = np.diff(v)
    waves = np.abs(np.fft.rfft(rest))[1 : WAVES + 1] / len(v)
    jerk = np.abs(np.diff(v, 2)).mean()
    numbers = [net, v.max() - v.min(), rest.std(), np.abs(steps).sum(), jerk]
    return np.concatenate([numbers, waves]).astype(np.float32)


def _together(a: F32, b: F32) -> F32:
    """How two curves swing together (in and out of phase) once per clip."""
    fa, fb = (np.fft.rfft(v - v.mean())[1:3] / len(v) for v in (a, b))
    cross = fa * np.conj(fb) / (np.abs(fa) * np.abs(fb) + 1e-5)
    return np.concatenate([cross.real, cross.imag]).astype(np.float32)


def _camera_features(flow: Flow) -> F32:
    parts = []
    for values in (flow.shift_x, flow.shift_y, flow.growth):
        if len(values) == 0:
            parts.append(np.zeros(CURVE_FEATURES, np.float32))
            continue
        parts.append(_curve(_points(_cumulated(values))))
    middle = [
        float(np.median(v)) if len(v) else 0.0
        for v in (flow.shift_x, flow.shift_y, flow.growth, flow.residual)
    ]
    spread = [float(v.std()) if len(v) else 0.0 for v in (flow.shift_x, flow.shift_y, flow.growth)]
    return np.concatenate([*parts, np.asarray(middle + spread, np.float32)])
