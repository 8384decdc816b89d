from __future__ import annotations

import numpy as np
import pytest

from omnireel.errors import InvalidInput
from omnireel.media import carry_audio, contact_sheet, fit, resample, resize
from omnireel.types import Audio, Clip


def numbered(num_frames: int, fps: float, sound: bool = False) -> Clip:
    frames = np.zeros((num_frames, 4, 4, 3), np.uint8)
    frames[:] = np.arange(num_frames)[:, None, None, None]
    audio = None
    if sound:
        audio = Audio(np.ones((1, round(num_frames / fps * 1000)), np.float32), 1000)
    return Clip(frames, fps, audio)


def numbers(clip: Clip) -> list[int]:
    return [int(n) for n in clip.frames_THWC[:, 0, 0, 0]]


def test_resample_picks_what_was_visible() -> None:
    assert numbers(resample(numbered(6, 24), 8)) == [0, 3]
    assert numbers(resample(numbered(3, 8), 16)) == [0, 0, 1, 1, 2, 2]
    assert numbers(resample(numbered(30, 30), 10, 10)) == list(range(0, 30, 3))
    assert numbers(resample(numbered(4, 29.97), 29.97)) == [0, 1, 2, 3]


def test_resample_cuts_or_holds_the_last_frame_with_its_sound() -> None:
    clip = numbered(4, 8, sound=True)
    short, long = resample(clip, 8, 2), resample(clip, 8, 6)
    assert numbers(short) == [0, 1]
    assert numbers(long) == [0, 1, 2, 3, 3, 3]
    assert short.audio is not None and long.audio is not None
    assert short.audio.samples_CN.shape == (1, 250)
    assert long.audio.samples_CN.sum() == 500
    assert long.audio.samples_CN.shape == (1, 750)
    for fps, count in ((0.0, 1), (float("nan"), 1), (8.0, 0)):
        with pytest.raises(InvalidInput, match="must be positive"):
            resample(clip, fps, count)


def test_shrinking_is_antialiased() -> None:
    stripes = np.zeros((1, 64, 64, 3), np.uint8)
    stripes[:, :, ::2] = 255
    small = resize(Clip(stripes), 16, 16).frames_THWC
    assert small.shape == (1, 16, 16, 3)
    assert np.abs(small.astype(int) - 127).max() < 20


def test_fit_crops_around_the_centre() -> None:
    frames = np.zeros((2, 10, 30, 3), np.uint8)
    frames[:, :, 10:20] = 200
    assert fit(Clip(frames), 5, 5).frames_THWC.min() > 180
    tall = fit(Clip(frames.transpose(0, 2, 1, 3)), 20, 20)
    assert tall.frames_THWC.shape == (2, 20, 20, 3)
    assert tall.frames_THWC.min() > 150
    clip = Clip(frames)
    assert fit(clip, 30, 10) is clip
    with pytest.raises(InvalidInput, match="not a size"):
        resize(clip, 0, 5)


def test_sound_is_carried_when_the_lengths_agree() -> None:
    source = numbered(17, 8, sound=True)
    result, note = carry_audio(source, numbered(16, 8))
    assert note == ""
    assert result.audio is not None
    assert result.audio.samples_CN.shape == (1, 2000)
    silent, note = carry_audio(source, numbered(9, 8))
    assert silent.audio is None
    assert note == "The sound was dropped: the source plays 2.12 s, the result 1.12 s."
    assert carry_audio(numbered(17, 8), numbered(9, 8))[1] == ""


def test_contact_sheets_hold_every_row() -> None:
    red = np.zeros((9, 32, 48, 3), np.uint8)
    red[..., 0] = 255
    blue = np.zeros((20, 20, 3), np.uint8)
    blue[..., 2] = 255
    long_prompt = "Prompt\n" + "a very long prompt " * 40 + "x" * 500
    sheet = contact_sheet([(long_prompt, red), ("Element", [blue, red[0]]), ("", blue)], title="T")
    assert sheet.dtype == np.uint8
    assert sheet.shape[0] == 1 and sheet.shape[3] == 3
    pixels = sheet[0].astype(int)
    reds = (pixels[..., 0] > 250) & (pixels[..., 1:].max(axis=-1) < 5)
    blues = (pixels[..., 2] > 250) & (pixels[..., :2].max(axis=-1) < 5)
    cell = 192 * 128
    assert reds.sum() == pytest.approx(9 * cell, rel=0.02)
    assert blues.sum() == pytest.approx(2 * 128 * 128, rel=0.02)
    # Nothing is drawn into the margin: the wrapped text stays inside.
    assert (pixels[:, -20:] == pixels[0, 0]).all()
    for rows in ([], [("empty", red[:0])]):
        with pytest.raises(InvalidInput):
            contact_sheet(rows)
