"""Flow, tracks, crops and masks against pictures whose movement is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from omnireel.evaluate.perception.crops import REACH, SIDE, bilinear, crops
from omnireel.evaluate.perception.flow import place_flow
from omnireel.evaluate.perception.movement import NUM_FEATURES, MovementReader, features
from omnireel.evaluate.perception.observe import subject_masks
from omnireel.evaluate.perception.reader import (
    COLOR_CLASSES,
    FrameReading,
    SceneReader,
    prepare,
)
from omnireel.evaluate.perception.samples import SamplesConfig, draw_samples, labels
from omnireel.evaluate.perception.tracks import track_of
from omnireel.types import Frames, VideoFormat
from omnireel.world.sampler import sample_scene
from omnireel.world.truth import render_truth

FORMAT = VideoFormat(64, 64, 9, 8.0)


def _texture(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Frames:
    """A smooth picture (H, W, 3) over coordinates in pixels."""
    light = 128 + 50 * np.sin(x * 0.31 + 0.4) * np.cos(y * 0.23) + 40 * np.sin(0.17 * (x + y))
    return np.repeat(light[..., None], 3, -1).astype(np.uint8)


def _clip(dx: float = 0.0, dy: float = 0.0, growth: float = 0.0, count: int = 6) -> Frames:
    """The texture moved by (dx, dy) pixels and grown by exp(growth) per frame."""
    y, x = np.meshgrid(np.arange(64) - 31.5, np.arange(64) - 31.5, indexing="ij")
    return np.stack(
        [_texture((x - t * dx) * np.exp(-growth * t), (y - t * dy) * np.exp(-growth * t))
         for t in range(count)]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("dx", "dy", "growth"), [(0, 0, 0), (2.0, 0, 0), (-1.5, 0.7, 0), (0, 0, 0.035), (0, 0, -0.03)]
)
def test_flow_finds_shift_and_growth(dx: float, dy: float, growth: float) -> None:
    flow = place_flow(_clip(dx, dy, growth), np.zeros((6, 32, 32), np.float32))
    assert np.median(flow.shift_x) == pytest.approx(dx / 64, abs=0.004)
    assert np.median(flow.shift_y) == pytest.approx(dy / 64, abs=0.004)
    assert np.median(flow.growth) == pytest.approx(growth, abs=0.004)


def test_flow_overlooks_the_subject() -> None:
    frames = _clip(1.0)
    mask = np.zeros((6, 32, 32), np.float32)
    for t in range(6):
        frames[t, 20:44, 8 + 6 * t : 24 + 6 * t] = (220, 40, 40)
        mask[t, 10:22, 4 + 3 * t : 12 + 3 * t] = 1.0
    with_mask = place_flow(frames, mask)
    assert np.median(with_mask.shift_x) == pytest.approx(1 / 64, abs=0.004)


def test_track_of_a_moving_square() -> None:
    frames = np.full((9, 64, 64, 3), 200, np.uint8)
    mask = np.zeros((9, 32, 32), np.float32)
    for t in range(9):
        mask[t, 10:20, 2 + 2 * t : 12 + 2 * t] = 1.0
    track = track_of(mask, frames)
    assert np.diff(track.x_T) == pytest.approx(2 / 32)
    assert track.x_T[0] == pytest.approx((7 - 16) / 32)
    assert track.y_T == pytest.approx((15 - 16) / 32)
    assert track.area_T == pytest.approx(100 / 32**2)
    assert track.width_T == pytest.approx(track.height_T)
    assert track.change_L == pytest.approx(0.0)


def test_unseen_frames_are_interpolated() -> None:
    mask = np.zeros((5, 32, 32), np.float32)
    for t in (0, 1, 3, 4):
        mask[t, 8:16, 4 * t : 4 * t + 8] = 1.0
    track = track_of(mask, np.zeros((5, 64, 64, 3), np.uint8))
    assert track.seen_T.tolist() == [True, True, False, True, True]
    assert np.diff(track.x_T) == pytest.approx(4 / 32)


def test_lean_has_the_side_of_the_top() -> None:
    mask = np.zeros((2, 32, 32), np.float32)
    for row in range(8, 24):
        mask[0, row, row : row + 3] = 1.0  # the top is left of the foot
        mask[1, row, 31 - row : 34 - row] = 1.0
    lean = track_of(mask, np.zeros((2, 64, 64, 3), np.uint8)).lean_T
    assert lean[0] > 0.3
    assert lean[1] == pytest.approx(-lean[0], abs=0.01)


def test_spinning_look_changes_a_resting_one_does_not() -> None:
    mask = np.zeros((9, 32, 32), np.float32)
    mask[:, 8:24, 8:24] = 1.0
    still = np.zeros((9, 64, 64, 3), np.uint8)
    still[:, 16:48, 16:32] = 250
    spun = still.copy()
    spun[1::2] = spun[1::2, :, ::-1]
    assert track_of(mask, still).change_L.max() == pytest.approx(0.0)
    assert track_of(mask, spun).change_L[0] > 0.2


def test_crops_do_not_depend_on_place_and_size() -> None:
    small, large = np.zeros((2, 1, 32, 32), np.float32)
    small[0, 2:10, 3:11] = 1.0
    large[0, 8:24, 12:28] = 1.0
    frames = np.zeros((1, 64, 64, 3), np.uint8)
    a, b = (crops(m, frames)[0, 0] for m in (small, large))
    assert a.shape == (SIDE, SIDE)
    assert np.abs(a - b).mean() < 0.06
    assert a.mean() == pytest.approx(12 / REACH**2, abs=0.06)  # a square has variance side^2/12
    assert len(crops(np.zeros((2, 32, 32), np.float32), np.repeat(frames, 2, 0))) == 0


def test_bilinear_hits_cell_middles() -> None:
    picture = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    found = bilinear(picture, np.array([0.0, 1.5]), np.array([0.0, 2.5, 9.0]))[..., 0]
    assert found == pytest.approx(np.array([[0.0, 2.5, 3.0], [6.0, 8.5, 9.0]]), abs=1e-4)


def _reading(color_Thw: npt.NDArray[np.int64]) -> FrameReading:
    one_hot = np.eye(len(COLOR_CLASSES), dtype=np.float32)[color_Thw]
    rest = np.ones((len(color_Thw), 5), np.float32)
    return FrameReading(np.moveaxis(one_hot, -1, 1), rest, rest, rest)


def test_two_colours_apart_are_two_subjects() -> None:
    colors = np.zeros((3, 32, 32), np.int64)
    colors[:, 4:16, 2:14] = 1
    colors[:, 10:20, 20:30] = 6
    masks = subject_masks(_reading(colors))
    assert [int(m.sum()) for m in masks] == [3 * 144, 3 * 100]


def test_specks_of_colour_on_a_subject_are_the_subject() -> None:
    colors = np.zeros((3, 32, 32), np.int64)
    colors[:, 4:20, 4:20] = 1
    colors[:, 4:20, 10:13] = 2  # a stripe that reads as another colour
    masks = subject_masks(_reading(colors))
    assert [int(m.sum()) for m in masks] == [3 * 256]


def test_an_empty_place_has_no_subjects() -> None:
    assert subject_masks(_reading(np.zeros((3, 32, 32), np.int64))) == []


def test_labels_match_the_exact_masks() -> None:
    scene = sample_scene(np.random.default_rng(3), max_bodies=1)
    color, kind = labels(scene, FORMAT)
    masks = render_truth(scene, FORMAT).masks["a"]
    body = scene.bodies[0]
    assert set(np.unique(color)) == {0, COLOR_CLASSES.index(body.material.color)}
    assert ((color > 0) == (kind > 0)).all()
    assert (color > 0).sum() * 4 == pytest.approx(masks.sum(), rel=0.15)


def test_samples_are_reproducible_and_some_are_broken() -> None:
    config = SamplesConfig(scenes=6, frames_per_scene=2, broken=1.0, empty=0.0)
    a, b = draw_samples(config), draw_samples(config)
    assert (a.frames_NHWC == b.frames_NHWC).all()
    assert a.frames_NHWC.shape == (12, 64, 64, 3)
    assert a.kind_Nhw.max() == 13  # BROKEN, one above the twelve kinds
    assert (np.unique(a.kind_Nhw[a.kind_Nhw > 0]) == 13).any()


@pytest.mark.parametrize("size", [(64, 64), (112, 64), (64, 112), (128, 128), (96, 48)])
def test_any_size_is_brought_to_the_readers(size: tuple[int, int]) -> None:
    w, h = size
    video = prepare(np.zeros((2, h, w, 3), np.uint8))
    assert min(video.shape[2:]) == 64
    assert not any(side % 8 for side in video.shape[2:])
    reading = SceneReader().eval().read(np.zeros((2, h, w, 3), np.uint8))
    assert reading.color_TChw.shape[2:] == (video.shape[2] // 2, video.shape[3] // 2)
    assert reading.color_TChw.sum(1) == pytest.approx(1.0, abs=1e-4)


def test_movement_features_have_the_declared_length() -> None:
    mask = np.zeros((5, 32, 32), np.float32)
    mask[:, 8:20, 8:20] = 1.0
    frames = _clip(count=5)
    flow = place_flow(frames, mask)
    for track in (None, track_of(mask, frames)):
        row = features(track, flow)
        assert row.shape == (NUM_FEATURES,)
        assert np.isfinite(row).all()
    one = place_flow(frames[:1], mask[:1])
    assert np.isfinite(features(track_of(mask[:1], frames[:1]), one)).all()
    motion, camera = MovementReader().read(row)
    assert motion.sum() == pytest.approx(1.0, abs=1e-5)
    assert camera.sum() == pytest.approx(1.0, abs=1e-5)
