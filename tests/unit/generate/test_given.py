"""What a large result may show of its media, and on which grid."""

from __future__ import annotations

import numpy as np
import pytest

from omnireel.generate.given import given_inputs, given_videos
from omnireel.mvl.prompt import Element, Input, Prompt, TextPart
from omnireel.types import Clip, MediaKind, Role, VideoFormat

FMT = VideoFormat(32, 32, 5, 8.0)


def _prompt(kind: MediaKind, role: Role) -> Prompt:
    return Prompt((TextPart("go on"),), (Input("A", kind, role),), (Element("Buddy"),))


def _clip(frames: int, side: int = 32, fps: float = 8.0) -> Clip:
    """Frame i has the value 10 i."""
    values = np.arange(frames, dtype=np.uint8)[:, None, None, None] * 10
    return Clip(np.broadcast_to(values, (frames, side, side, 3)).copy(), fps=fps)


def _values(role: Role, kind: MediaKind, clip: Clip) -> list[list[int]]:
    media = {"A": (clip,), "Buddy": (_clip(1),)}
    videos = given_videos(_prompt(kind, role), media, FMT)
    assert all(v.shape[0] == 3 and v.shape[2:] == (32, 32) for v in videos)
    return [((v[0, :, 0, 0] + 1) * 127.5).round().int().tolist() for v in videos]


@pytest.mark.parametrize("role", [Role.FIRST_FRAME, Role.LAST_FRAME, Role.ANNOTATION])
def test_a_picture_is_one_frame(role: Role) -> None:
    assert _values(role, MediaKind.IMAGE, _clip(1)) == [[0]]


def test_an_edited_video_keeps_time_with_the_result() -> None:
    assert _values(Role.SOURCE, MediaKind.VIDEO, _clip(5)) == [[0, 10, 20, 30, 40]]
    assert _values(Role.SOURCE, MediaKind.VIDEO, _clip(9, fps=16.0)) == [[0, 20, 40, 60, 80]]
    assert _values(Role.SOURCE, MediaKind.VIDEO, _clip(2)) == [[0, 10, 10, 10, 10]]


def test_another_shot_is_seen_at_three_times() -> None:
    assert _values(Role.REFERENCE, MediaKind.VIDEO, _clip(9)) == [[0], [40], [80]]
    assert _values(Role.REFERENCE, MediaKind.VIDEO, _clip(1)) == [[0]]


@pytest.mark.parametrize("role", [Role.MOTION, Role.CAMERA, Role.STORYBOARD])
def test_what_shows_another_place_is_left_out(role: Role) -> None:
    assert given_inputs(_prompt(MediaKind.VIDEO, role)) == []
    assert _values(role, MediaKind.VIDEO, _clip(5)) == []


def test_what_is_smaller_than_the_result_is_left_out() -> None:
    assert _values(Role.FIRST_FRAME, MediaKind.IMAGE, _clip(1, side=31)) == []
    assert _values(Role.FIRST_FRAME, MediaKind.IMAGE, _clip(1, side=48)) == [[0]]
