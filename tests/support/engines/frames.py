"""Frames and latents that a person can compute by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnireel.types import Frames, VideoFormat


def base_frames(fmt: VideoFormat, seed: int) -> Frames:
    """R says the seed and the frame, G the column, B the row."""
    frames = np.zeros((fmt.num_frames, fmt.height, fmt.width, 3), np.uint8)
    t = np.arange(fmt.num_frames)[:, None, None]
    frames[..., 0] = (16 * seed + 8 * t) % 256
    frames[..., 1] = 4 * np.arange(fmt.width)[None, None, :] % 256
    frames[..., 2] = 4 * np.arange(fmt.height)[None, :, None] % 256
    return frames


def base_latents(fmt: VideoFormat, seed: int) -> npt.NDArray[np.float32]:
    """``seed + 0.5 * latent frame``, CTHW."""
    shape = (16, 1 + (fmt.num_frames - 1) // 4, fmt.height // 8, fmt.width // 8)
    latents = np.full(shape, seed, np.float32)
    return latents + 0.5 * np.arange(shape[1], dtype=np.float32)[None, :, None, None]


def upscaled_frames(base_THWC: Frames) -> Frames:
    """Every pixel four times, red one brighter (modulo 256)."""
    large = base_THWC.repeat(2, axis=1).repeat(2, axis=2)
    large[..., 0] += 1
    return large
