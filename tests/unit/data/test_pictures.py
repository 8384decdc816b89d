"""Pictures from a decoder's planes show what FFmpeg's own conversion to RGB shows."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from omnireel.data.curate.scaling import FrameScaler
from omnireel.data.gray import gray_of
from omnireel.data.pictures import Drawn, join
from omnireel.types import Frames


def picture(width: int = 640, height: int = 360) -> Frames:
    """Smooth, in all colours."""
    coarse = np.random.default_rng(0).integers(20, 236, (6, 8, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def apart(one: Frames, other: Frames) -> float:
    """Mean difference, grey levels."""
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize("space", [Colorspace.ITU601, Colorspace.ITU709])
@pytest.mark.parametrize("span", [ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize("format_", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "nv12"])
def test_colours_are_those_of_the_file(format_: str, space: Colorspace, span: ColorRange) -> None:
    rgb = picture()
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(
        format=format_, dst_colorspace=space, dst_color_range=span
    )
    frame.color_range, frame.colorspace = span, 1 if space == Colorspace.ITU709 else 6
    scaler = FrameScaler(frame, None)
    assert apart(scaler.full(frame).rgb, rgb) < 2
    small = scaler.working(frame)
    expected = cv2.resize(rgb, (256, 144), interpolation=cv2.INTER_AREA)
    assert apart(small.rgb, expected) < 2
    assert apart(small.luma, gray_of(expected)) < (2 if space == Colorspace.ITU601 else 8)
    tiny = cv2.resize(rgb, (32, 18), interpolation=cv2.INTER_AREA)
    assert apart(small.thumbnails((32, 18)), tiny) < 3


@pytest.mark.parametrize("format_", ["rgb24", "bgra", "gbrp", "gray"])
def test_frames_without_luma_and_tints_are_converted(format_: str) -> None:
    rgb = picture() if format_ != "gray" else np.repeat(gray_of(picture())[..., None], 3, axis=2)
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=format_)
    assert apart(FrameScaler(frame, None).full(frame).rgb, rgb) < 2


def test_thin_stripes_become_grey_and_not_other_stripes() -> None:
    stripes = np.zeros((720, 1280, 3), np.uint8)
    stripes[::2] = 255
    frame = av.VideoFrame.from_ndarray(stripes, "rgb24").reformat(format="yuv444p")
    assert np.ptp(FrameScaler(frame, None).working(frame).luma) <= 2


def test_a_clip_is_its_pictures_and_some_of_them_can_be_taken() -> None:
    frames = [av.VideoFrame.from_ndarray(np.roll(picture(), 40 * i, 1), "rgb24") for i in range(3)]
    frames = [frame.reformat(format="yuv420p") for frame in frames]
    scaler = FrameScaler(frames[0], None)
    clip = join([scaler.working(frame) for frame in frames])
    assert clip.rgb.shape == (3, 144, 256, 3)
    np.testing.assert_array_equal(clip.rgb[2], scaler.working(frames[2]).rgb)
    np.testing.assert_array_equal(clip.at([2, 0]).rgb, clip.rgb[[2, 0]])
    np.testing.assert_array_equal(clip.thumbnails((8, 4))[1], clip.at([1]).thumbnails((8, 4))[0])


def test_drawn_pictures_have_the_same_parts() -> None:
    drawn = Drawn(np.stack([picture(64, 48)] * 2))
    np.testing.assert_array_equal(drawn.luma, gray_of(drawn.rgb))
    assert drawn.at([1]).rgb.shape == (1, 48, 64, 3)
    assert drawn.thumbnails((4, 3)).shape == (2, 3, 4, 3)
