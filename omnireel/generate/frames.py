"""Between uint8 frames and the model's float videos, with plain torch."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from omnireel.types import Frames


def frames_to_video(frames_THWC: Frames) -> Tensor:
    """uint8 ``THWC`` to float ``CTHW`` in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(frames_THWC)).permute(3, 0, 1, 2) / 127.5 - 1.0


def video_to_frames(video_CTHW: Tensor) -> Frames:
    """Float ``CTHW`` in -1..1 to uint8 ``THWC``."""
    x = ((video_CTHW.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
    frames: Frames = x.permute(1, 2, 3, 0).contiguous().cpu().numpy()
    return frames


def resize_video(video_CTHW: Tensor, height: int, width: int) -> Tensor:
    """Centre-crop to the target's aspect, then resize with antialiasing (bicubic)."""
    _, _, h, w = video_CTHW.shape
    if (h, w) == (height, width):
        return video_CTHW
    crop_h, crop_w = cropped_size(h, w, height, width)
    top, left = (h - crop_h) // 2, (w - crop_w) // 2
    x = video_CTHW[:, :, top : top + crop_h, left : left + crop_w].transpose(0, 1)
    x = F.interpolate(x, (height, width), mode="bicubic", antialias=True, align_corners=False)
    return x.clamp(-1.0, 1.0).transpose(0, 1)


def cropped_size(h: int, w: int, height: int, width: int) -> tuple[int, int]:
    """Height and width of the largest part of ``h x w`` that has the aspect of the target."""
    return min(h, round(w * height / width)), min(w, round(h * width / height))


def resample_frames(frames_THWC: Frames, fps_in: float, fps_out: float, num_frames: int) -> Frames:
    """Nearest frames at ``fps_out``; the last frame holds when the clip is too short."""
    at = np.round(np.arange(num_frames) * fps_in / fps_out).astype(int)
    picked: Frames = frames_THWC[np.minimum(at, len(frames_THWC) - 1)]
    return picked


def token_grid_size(
    height: int, width: int, short_side: int, multiple: int = 16
) -> tuple[int, int]:
    """Height and width on the token grid with the input's aspect, area near ``short_side ** 2``."""
    aspect = min(max(height / width, 0.5), 2.0)
    h = max(multiple, multiple * round(short_side * math.sqrt(aspect) / multiple))
    w = max(multiple, multiple * round(short_side / math.sqrt(aspect) / multiple))
    return h, w
