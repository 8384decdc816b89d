"""Shifted-window attention layouts for the super-resolver.

A window is a box of the target's token grid.  Noisy tokens of a window attend to each other, to
the low-resolution tokens under the same window, and to the whole of the other conditions (text,
references).  Low-resolution tokens attend inside their window and to those other conditions, which
attend only among themselves; so conditions still never see noise and are cached over all steps.
Every odd layer shifts the windows by half their size (Swin, arXiv 2103.14030), which here only
means a second pair of layouts: the transformer itself is unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from omnireel.model.attention import AttentionLayout
from omnireel.model.sequence import OmniSample, PackedSequence, grid_tokens, pack
from omnireel.types import Role


@dataclass(frozen=True)
class WindowConfig:
    """Window size in latent frames and tokens."""

    frames: int = 5
    height: int = 4
    width: int = 4

    def __post_init__(self) -> None:
        if min(self.frames, self.height, self.width) < 1:
            raise ValueError("window sizes must be at least 1")


def window_blocks(shape: tuple[int, int, int], config: WindowConfig, shifted: bool) -> list[Tensor]:
    """Token indices of each window of a (T, H, W) token grid; together they cover it once."""
    t, h, w = shape
    ids = torch.arange(t * h * w).view(t, h, w)

    def cuts(size: int, window: int) -> list[slice]:
        first = window // 2 if shifted and window < size else 0
        edges = [0, *range(first, size, window), size] if first else [*range(0, size, window), size]
        return [slice(a, b) for a, b in pairwise(edges) if b > a]

    return [
        ids[a, b, c].reshape(-1)
        for a in cuts(t, config.frames)
        for b in cuts(h, config.height)
        for c in cuts(w, config.width)
    ]


def pack_windows(
    samples: Sequence[OmniSample],
    config: WindowConfig,
    device: torch.device | str = "cpu",
) -> PackedSequence:
    """Pack samples whose last segment is the low-resolution clip, with windowed attention.

    Raises:
        ValueError: when a sample has no low-resolution segment on the target's grid.
    """
    packed = pack(samples, device)
    layouts = [_layouts(samples, config, shifted, device) for shifted in (False, True)]
    return replace(
        packed,
        condition_layouts=tuple(c for c, _ in layouts),
        target_layouts=tuple(t for _, t in layouts),
    )


def _layouts(
    samples: Sequence[OmniSample],
    config: WindowConfig,
    shifted: bool,
    device: torch.device | str,
) -> tuple[AttentionLayout, AttentionLayout]:
    condition_q: list[Tensor] = []
    condition_k: list[Tensor] = []
    target_q: list[Tensor] = []
    target_k: list[Tensor] = []
    num_conditions = sum(_count(s)[0] + _count(s)[1] for s in samples)
    c_start = t_start = 0
    for sample in samples:
        others, low = _count(sample)
        shared = torch.arange(c_start, c_start + others)
        condition_q.append(shared)
        condition_k.append(shared)
        t, h, w = sample.target_shape
        for window in window_blocks((t, h // sample.patch, w // sample.patch), config, shifted):
            under = c_start + others + window
            condition_q.append(under)
            condition_k.append(torch.cat([shared, under]))
            target_q.append(t_start + window)
            target_k.append(torch.cat([shared, under, num_conditions + t_start + window]))
        c_start += others + low
        t_start += low
    return (
        AttentionLayout.build(condition_q, condition_k, device),
        AttentionLayout.build(target_q, target_k, device),
    )


def _count(sample: OmniSample) -> tuple[int, int]:
    """Tokens of the other conditions and of the low-resolution segment."""
    if not sample.segments or sample.segments[-1].role is not Role.LOW_RESOLUTION:
        raise ValueError("the last segment must be the low-resolution clip")
    if tuple(sample.segments[-1].latents_CTHW.shape[1:]) != sample.target_shape:
        raise ValueError("the low-resolution clip must lie on the target's grid")
    others = len(sample.text.ids)
    for segment in sample.segments[:-1]:
        others += grid_tokens(segment.latents_CTHW.shape, sample.patch)
    return others, grid_tokens(sample.target_shape, sample.patch)
