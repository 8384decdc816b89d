"""Frames in another rate or size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from omnireel.errors import InvalidInput
from omnireel.media.audio import fit_audio
from omnireel.types import Clip, Frames

Box = tuple[float, float, float, float]


def resample(clip: Clip, fps: float, num_frames: int | None = None) -> Clip:
    """The clip at ``fps``: frame i shows what was visible at i / fps seconds.

    ``num_frames`` cuts the clip, or holds its last frame (and silence) if it is shorter; None keeps
    its length.

    Raises:
        InvalidInput: ``fps`` or ``num_frames`` is not positive.
    """
    if not fps > 0:
        raise InvalidInput(f"fps {fps} must be positive", field="fps")
    if num_frames is None:
        num_frames = max(1, round(clip.format.duration_s * fps))
    if num_frames < 1:
        raise InvalidInput(f"num_frames {num_frames} must be positive", field="num_frames")
    # The small constant keeps i / fps * clip.fps from falling just below a whole number.
    shown = np.floor(np.arange(num_frames) * (clip.fps / fps) + 1e-6).astype(np.int64)
    frames_THWC = clip.frames_THWC[shown.clip(max=len(clip.frames_THWC) - 1)]
    audio = clip.audio and fit_audio(clip.audio, num_frames / fps)
    return Clip(frames_THWC, fps=fps, audio=audio)


def resize(clip: Clip, width: int, height: int) -> Clip:
    """Every frame stretched to ``width`` x ``height``, antialiased."""
    _, h, w, _ = clip.frames_THWC.shape
    if (w, h) == (width, height):
        return clip
    return replace(clip, frames_THWC=_resize(clip.frames_THWC, width, height, (0, 0, w, h)))


def fit(clip: Clip, width: int, height: int) -> Clip:
    """Centre-cropped to the aspect of ``width`` : ``height``, then resized, antialiased."""
    _, h, w, _ = clip.frames_THWC.shape
    crop_w = min(float(w), h * width / height)
    crop_h = min(float(h), w * height / width)
    left, top = (w - crop_w) / 2, (h - crop_h) / 2
    if (w, h) == (width, height):
        return clip
    box = (left, top, left + crop_w, top + crop_h)
    return replace(clip, frames_THWC=_resize(clip.frames_THWC, width, height, box))


def _resize(frames_THWC: Frames, width: int, height: int, box: Box) -> Frames:
    if width < 1 or height < 1:
        raise InvalidInput(f"{width}x{height} pixels is not a size", field="size")
    out = np.empty((len(frames_THWC), height, width, 3), np.uint8)
    for i, frame in enumerate(frames_THWC):
        # Pillow's filters widen with the scale, so shrinking is antialiased.
        out[i] = np.asarray(
            Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS, box=box)
        )
    return out
