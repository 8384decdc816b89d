from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from omnireel.types import VideoFormat
from omnireel.world.camera import camera_path
from omnireel.world.kinematics import pose
from omnireel.world.render import render_clip
from omnireel.world.scene import CHARACTERS, SHAPES, Body, Camera, Material, Motion, Scene
from omnireel.world.truth import Truth, render_truth

FMT = VideoFormat(64, 64, 17, 8.0)


def truth(motion: str = "still", kind: str = "ball", camera: Camera | None = None) -> Truth:
    body = Body("a", kind, Material("red"), motion=Motion(motion))
    return render_truth(Scene((body,), camera=camera or Camera()), FMT)


def centroid(mask_HW: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask_HW)
    return np.asarray([columns.mean() + 0.5, rows.mean() + 0.5])


@pytest.mark.parametrize("move", ["static", "pan_left", "zoom_in", "orbit", "rise", "shake"])
def test_tracks_project_to_the_middle_of_the_mask(move: str) -> None:
    result = truth(camera=Camera(move=move, azimuth=0.3))
    for mask, center in zip(result.masks["a"], result.tracks["a"].center_T2, strict=True):
        assert np.abs(centroid(mask) - center).max() < 1.0


@pytest.mark.parametrize("kind", SHAPES + CHARACTERS)
def test_masks_cover_what_differs_from_the_empty_place(kind: str) -> None:
    fmt = VideoFormat(64, 64, 1, 8.0)
    full = Scene((Body("a", kind, Material("red"), skin="orange"),), place="studio")
    mask = render_truth(full, fmt).masks["a"][0]
    with_body = render_clip(full, fmt)[0].astype(int)
    without = render_clip(replace(full, bodies=()), fmt)[0].astype(int)
    saturation = with_body.max(-1) - with_body.min(-1)
    changed = (np.abs(with_body - without).sum(-1) > 150) & (saturation > 110)
    assert (changed & ~mask).sum() <= 0.12 * mask.sum()
    assert mask.sum() > 60


def test_size_in_pixels_follows_perspective() -> None:
    spans = []
    for z in (-2.0, 1.0):
        body = Body("a", "ball", Material("red"), position=(0.0, 0.0, z))
        result = render_truth(Scene((body,)), VideoFormat(256, 256, 1, 8.0))
        spans.append((np.sqrt(result.masks["a"].sum()), result.tracks["a"].depth_T[0]))
    (small, far), (large, near) = spans
    assert large / small == pytest.approx(far / near, rel=0.03)


def test_nearer_bodies_hide_farther_ones_and_visibility_says_how_much() -> None:
    front = Body("front", "cube", Material("blue"), position=(0.0, 0.0, 0.8))
    back = Body("back", "cone", Material("yellow"), position=(0.95, 0.0, -0.8))
    for bodies in ((front, back), (back, front)):
        result = render_truth(Scene(bodies), FMT)
        masks = result.masks
        assert not (masks["front"] & masks["back"]).any()
        assert result.tracks["front"].visible_T.min() > 0.99
        alone = render_truth(Scene((back,)), FMT).masks["back"]
        share = (masks["back"] & alone).sum() / alone.sum()
        assert 0.05 < share < 0.8
        assert result.tracks["back"].visible_T[0] == pytest.approx(share, abs=0.05)
        seen = render_clip(Scene(bodies), FMT)[masks["front"]].mean(0)
        assert seen[2] > seen[0] + 60


def test_depth_is_that_of_the_nearest_surface() -> None:
    result = truth()
    center = result.tracks["a"].center_T2[0].astype(int)
    at = result.depth_THW[0, center[1], center[0]]
    assert at == pytest.approx(result.tracks["a"].depth_T[0] - 0.5, abs=0.03)
    assert np.isinf(result.depth_THW[0, 0]).all()
    bottom = result.depth_THW[0, -1, 32]
    assert 1.5 < bottom < at


def test_sideways_motion_crosses_half_of_the_default_frame() -> None:
    for motion, sign in (("move_right", 1), ("move_left", -1)):
        x = truth(motion).tracks["a"].center_T2[:, 0] / 64
        assert (np.diff(x) * sign > 0).all()
        assert 0.5 < abs(x[-1] - x[0]) < 0.62
        assert (x[0] + x[-1]) / 2 == pytest.approx(0.5, abs=0.02)


def test_approach_grows_recede_shrinks() -> None:
    for motion, grows in (("approach", True), ("recede", False)):
        area = truth(motion).masks["a"].reshape(17, -1).sum(1)
        ratio = area[-1] / area[0]
        assert (ratio > 2.5) if grows else (ratio < 0.4)


def test_jump_follows_gravity_and_lands() -> None:
    times = np.linspace(0, 2, 400).astype(np.float32)
    height = pose(Body("a", "star", Material("red"), motion=Motion("jump")), times, 2.125)
    y = height.origin_T3[:, 1].astype(float)
    assert y.min() >= 0
    step = float(times[1])
    acceleration = np.diff(y, 2) / step**2
    flying = (y[1:-1] > 0.1) & (y[:-2] > 0.1) & (y[2:] > 0.1)
    assert np.median(acceleration[flying]) == pytest.approx(-9.81, rel=0.05)
    column = truth("jump").tracks["a"].center_T2
    assert np.ptp(column[:, 1]) > 6
    assert np.ptp(column[:, 0]) < 0.5


def test_circle_closes_and_spin_stays() -> None:
    path = truth("circle").tracks["a"].center_T2
    assert np.ptp(path[:, 0]) > 15
    assert np.abs(path[0] - path[16]).max() < 1.0
    assert np.ptp(truth("spin", "cube").tracks["a"].center_T2) < 64
    assert np.ptp(truth("spin", "cube").tracks["a"].center_T2, axis=0).max() < 1.0


def test_a_rolling_ball_turns_by_the_way_it_goes() -> None:
    times = np.asarray([0.0, 0.5], np.float32)
    ball = Body("a", "ball", Material("red"), motion=Motion("move_right"))
    placed = pose(ball, times, 2.0)
    way = placed.centre()[1, 0] - placed.centre()[0, 0]
    turn = placed.matrix_T33[1] @ np.linalg.inv(placed.matrix_T33[0])
    assert np.arctan2(turn[1, 0], turn[0, 0]) == pytest.approx(-way / 0.5, abs=1e-3)
    # The point that touches the ground does not slip: its speed is zero.
    foot = placed.centre() - np.asarray([0, 0.5, 0])
    assert np.abs(foot[:, 1]).max() < 1e-5


def test_camera_moves_move_the_picture_the_right_way() -> None:
    def start_end(move: str) -> tuple[np.ndarray, np.ndarray, Truth]:
        result = truth(camera=Camera(move=move))
        path = result.tracks["a"].center_T2
        return path[0], path[-1], result

    a, b, _ = start_end("pan_left")
    assert b[0] > a[0] + 10
    a, b, _ = start_end("pan_right")
    assert b[0] < a[0] - 10
    for move, grows in (("zoom_in", True), ("zoom_out", False)):
        area = start_end(move)[2].masks["a"].reshape(17, -1).sum(1)
        assert (area[-1] > 1.8 * area[0]) == grows
    path = camera_path(Camera(move="orbit"), np.asarray([0.0, 2.125], np.float32), 2.125, 64, 64)
    assert path.position_T3[1, 0] > 2
    path = camera_path(Camera(move="rise"), np.asarray([0.0, 2.125], np.float32), 2.125, 64, 64)
    assert path.position_T3[1, 1] > path.position_T3[0, 1] + 1.5


def test_matrices_agree_with_projection() -> None:
    moves = Camera(move="orbit", azimuth=0.4)
    path = camera_path(moves, np.linspace(0, 2, 5).astype(np.float32), 2.0, 80, 48)
    point = np.asarray([0.3, 0.8, -0.2, 1.0], np.float32)
    x, y, z, _ = (path.matrices() @ point).T
    column, row, depth = path.project(np.repeat(point[None, None, :3], 5, 0))
    assert depth[:, 0] == pytest.approx(z, abs=1e-4)
    assert column[:, 0] == pytest.approx(40 + x / z / path.pixel_T, abs=1e-2)
    assert row[:, 0] == pytest.approx(24 - y / z / path.pixel_T, abs=1e-2)
    identity = np.einsum("tij,tkj->tik", path.basis_T33, path.basis_T33)
    assert np.allclose(identity, np.eye(3), atol=1e-5)
