"""Camera and subject movement, on scenes whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from omnireel.data.crossmodal.movement import (
    Movement,
    camera_likeness,
    movement_of,
    subject_likeness,
)
from omnireel.types import VideoFormat
from omnireel.world.render import render_clip
from omnireel.world.scene import Body, Camera, Material, Motion, Scene

FORMAT = VideoFormat(96, 96, 17, 8.0)


def moved(motion: str, camera: str, place: str = "city", kind: str = "cube") -> Movement:
    body = Body("a", kind, Material("red"), size=0.9, motion=Motion(motion))
    scene = Scene((body,), place=place, camera=Camera(camera), seed=5)
    found = movement_of(render_clip(scene, FORMAT))
    assert found is not None
    return found


def test_a_camera_is_more_like_itself_in_another_place_than_like_another() -> None:
    for camera, others in {
        "pan_left": ("pan_right", "static"),
        "zoom_in": ("zoom_out", "static"),
        "static": ("pan_right", "zoom_in"),
    }.items():
        one = moved("still", camera)
        same = camera_likeness(one, moved("spin", camera, "room", "cat"))
        for other in others:
            assert same > camera_likeness(one, moved("still", other, "room", "cat")) + 0.05, other


def test_a_pan_over_a_still_subject_is_no_motion_of_the_subject() -> None:
    still, moving = moved("still", "pan_left"), moved("move_right", "static")
    assert np.abs(still.subject_M5[:, :2]).sum() < 0.5 * np.abs(moving.subject_M5[:, :2]).sum()
    assert np.abs(still.camera_M3[:, 0]).sum() > 0.1
    assert moving.subject_M5[:, 0].sum() > 0.1  # to the right


def test_a_subject_moves_like_another_that_does_the_same() -> None:
    one = moved("move_right", "static")
    same = subject_likeness(one, moved("move_right", "static", "room", "bear"))
    assert same > subject_likeness(one, moved("move_left", "static", "room", "bear")) + 0.1
    assert same > subject_likeness(one, moved("still", "static", "room", "bear")) + 0.1


def test_two_frames_are_no_movement() -> None:
    assert movement_of(np.zeros((2, 32, 32, 3), np.uint8)) is None


def test_likeness_is_the_same_both_ways_and_1_with_itself() -> None:
    one, other = moved("jump", "orbit"), moved("move_left", "rise")
    for likeness in (camera_likeness, subject_likeness):
        assert likeness(one, one) == 1.0
        assert likeness(one, other) == likeness(other, one)
    assert replace(one, shake=one.shake + 1).shake > one.shake
