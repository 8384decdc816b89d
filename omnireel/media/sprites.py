"""Clips as sprite sheets: all frames in rows on one picture, for pages that play them in step."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from omnireel.types import Clip, Frames

_MAX_SIDE = 16_000
"""Pixels; WebP ends at 16383."""
_QUALITY = 90


def sprite_sheet(frames_THWC: Frames) -> tuple[Frames, int]:
    """All frames in rows on one picture ``[1, H, W, 3]``, and how many stand in a row."""
    count, height, width, channels = frames_THWC.shape
    columns = max(1, min(count, _MAX_SIDE // width))
    rows = -(-count // columns)
    sheet = np.zeros((rows * height, columns * width, channels), np.uint8)
    for n, frame in enumerate(frames_THWC):
        y, x = (n // columns) * height, (n % columns) * width
        sheet[y : y + height, x : x + width] = frame
    return sheet[None], columns


def write_sprite(clip: Clip, *, quality: int = _QUALITY) -> tuple[bytes, dict[str, Any]]:
    """The sheet as WebP, and what a page needs to know to play it."""
    sheet, columns = sprite_sheet(clip.frames_THWC)
    count, height, width, _ = clip.frames_THWC.shape
    buffer = io.BytesIO()
    Image.fromarray(sheet[0]).save(buffer, "WEBP", quality=quality, method=4)
    shape = {"frames": count, "columns": columns, "width": width, "height": height}
    return buffer.getvalue(), {**shape, "fps": clip.fps}
