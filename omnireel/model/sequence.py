"""A sample (text, condition segments, target) becomes tokens of one packed sequence.

Many samples of any lengths are packed side by side, without padding::

    condition stream   [text_1 | segments_1 | text_2 | segments_2 | ...]
    target stream      [target_1 | target_2 | ...]

The two streams share weights and differ in what they may see: conditions attend among themselves
and never learn the diffusion time, targets attend to both.  So a condition's keys and values are
the same at every denoising step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from omnireel.model.attention import AttentionLayout
from omnireel.model.packed_tokens import PackedTokens, concatenated, starts
from omnireel.model.positions import text_positions, visual_positions
from omnireel.model.text import TextTokens
from omnireel.types import Role

ROLES = tuple(Role)
ALIGNED_ROLES = frozenset(
    {Role.SOURCE, Role.FIRST_FRAME, Role.LAST_FRAME, Role.LOW_RESOLUTION, Role.ANNOTATION}
)
"""Roles whose tokens lie on the target's own space-time grid."""
PATCH = 2
"""Unless a network says otherwise, tokens are ``PATCH x PATCH`` squares of one latent frame."""


@dataclass(frozen=True, eq=False)
class Segment:
    """One visual condition: ``latents_CTHW`` with a role, a source id and its place in time.

    ``start`` and ``step`` are in latent frames of the target's time line.
    """

    latents_CTHW: Tensor
    role: Role
    source_id: int
    start: float = 0.0
    step: float = 1.0


@dataclass(frozen=True, eq=False)
class OmniSample:
    """Everything that the model is told about one clip; ``target_shape`` is latent (T, H, W)."""

    text: TextTokens
    segments: tuple[Segment, ...]
    target_shape: tuple[int, int, int]
    patch: int = PATCH
    """The model's tokens are ``patch x patch`` squares of one latent frame."""


def grid_tokens(shape: Sequence[int], patch: int = PATCH) -> int:
    """Tokens of a latent (T, H, W), or of a latent clip (C, T, H, W)."""
    return math.prod(_grid(shape, patch))


def patchify(latents_CTHW: Tensor, patch: int = PATCH) -> Tensor:
    """``[T * H/p * W/p, C * p * p]`` tokens of a latent clip, p being ``patch``."""
    c, t, h, w = latents_CTHW.shape
    x = latents_CTHW.reshape(c, t, h // patch, patch, w // patch, patch)
    return x.permute(1, 2, 4, 0, 3, 5).reshape(t * (h // patch) * (w // patch), c * patch * patch)


def unpatchify(tokens_NP: Tensor, shape: tuple[int, int, int], patch: int = PATCH) -> Tensor:
    """The inverse of :func:`patchify` for a latent (T, H, W) shape."""
    t, h, w = shape
    x = tokens_NP.reshape(t, h // patch, w // patch, -1, patch, patch)
    return x.permute(3, 0, 1, 4, 2, 5).reshape(-1, t, h, w)


@dataclass(frozen=True, eq=False)
class PackedSequence(PackedTokens):
    """Packed samples, and who attends to whom."""

    condition_layouts: tuple[AttentionLayout, ...]
    target_layouts: tuple[AttentionLayout, ...]
    """Layer l uses entry l modulo the length. Keys of a target are [conditions | targets]."""

    @property
    def target_lengths(self) -> tuple[int, ...]:
        """Target tokens of each sample."""
        return tuple(grid_tokens(shape, self.patch) for shape in self.target_shapes)

    @property
    def equal_targets(self) -> bool:
        """Whether all samples have equally many target tokens."""
        return len(set(self.target_lengths)) == 1

    def to(self, device: torch.device | str) -> Self:
        """The same pack on ``device``."""
        return replace(
            super().to(device),
            condition_layouts=tuple(x.to(device) for x in self.condition_layouts),
            target_layouts=tuple(x.to(device) for x in self.target_layouts),
        )

    def split_targets(self, tokens_NP: Tensor) -> list[Tensor]:
        """Target tokens back to one ``CTHW`` latent clip per sample."""
        chunks = torch.split(tokens_NP, list(self.target_lengths))
        shapes = zip(chunks, self.target_shapes, strict=True)
        return [unpatchify(x, shape, self.patch) for x, shape in shapes]


def aligned_tokens(
    segment: Segment, target_shape: tuple[int, int, int], patch: int = PATCH
) -> Tensor | None:
    """Target token index under each token of an aligned segment; -1 beyond the target's end.

    ``None`` when the segment's role is not an aligned one or its frames have another size.
    """
    t, h, w = target_shape
    _, frames, height, width = segment.latents_CTHW.shape
    if segment.role not in ALIGNED_ROLES or (height, width) != (h, w):
        return None
    per_frame = (h // patch) * (w // patch)
    at = torch.round(segment.start + segment.step * torch.arange(frames)).long()
    index = at[:, None] * per_frame + torch.arange(per_frame)
    return torch.where((at >= 0)[:, None] & (at < t)[:, None], index, -1).reshape(-1)


def pack(samples: Sequence[OmniSample], device: torch.device | str = "cpu") -> PackedSequence:
    """Pack samples with full asymmetric attention inside each sample.

    Raises:
        ValueError: samples for networks with tokens of different sizes.
    """
    if len(patches := {sample.patch for sample in samples}) != 1:
        raise ValueError(f"one pack has tokens of one size, not of {sorted(patches)}")
    parts = [_tokens_of(sample) for sample in samples]
    tokens = concatenated(parts)
    conditions = _runs([part.count("conditions") for part in parts])
    targets = _runs([part.count("targets") for part in parts])
    keys = [
        torch.cat([own, target + tokens.num_conditions])
        for own, target in zip(conditions, targets, strict=True)
    ]
    return PackedSequence(
        **vars(tokens.to(device)),
        condition_layouts=(AttentionLayout.build(conditions, conditions, device),),
        target_layouts=(AttentionLayout.build(targets, keys, device),),
    )


def _runs(counts: Sequence[int]) -> list[Tensor]:
    """The indices of each run."""
    return [torch.arange(first, first + n) for first, n in zip(starts(counts), counts, strict=True)]


def _tokens_of(sample: OmniSample) -> PackedTokens:
    """One sample: its text, then its segments, and its target."""
    segments, patch, shape = sample.segments, sample.patch, sample.target_shape
    text_ids = torch.tensor(sample.text.ids)
    patches = [patchify(segment.latents_CTHW, patch) for segment in segments]
    roles = [Role.TEXT, *(segment.role for segment in segments)]
    lengths = [len(text_ids), *(len(tokens) for tokens in patches)]
    num_text, num_conditions = len(text_ids), sum(lengths)
    under_N = torch.cat(
        [torch.zeros(0, dtype=torch.long), *(_target_under(s, shape, patch) for s in segments)]
    )
    target_positions = visual_positions(*_grid(shape, patch), source_id=0)
    return PackedTokens(
        text_ids=text_ids,
        text_slots=torch.arange(num_text),
        sample_of_text=torch.zeros(num_text, dtype=torch.long),
        patches_NP=torch.cat(patches) if patches else torch.zeros(0, 0),
        patch_slots=torch.arange(num_text, num_conditions),
        roles=torch.cat(
            [torch.full((n,), ROLES.index(r)) for r, n in zip(roles, lengths, strict=True)]
        ),
        condition_positions_N4=torch.cat(
            [
                text_positions(torch.tensor(sample.text.sources)),
                *(_segment_positions(segment, patch) for segment in segments),
            ]
        ),
        target_positions_N4=target_positions,
        sample_of_target=torch.zeros(len(target_positions), dtype=torch.long),
        aligned_patch=torch.nonzero(under_N >= 0).flatten(),
        aligned_target=under_N[under_N >= 0],
        target_shapes=(shape,),
        patch=patch,
    )


def _target_under(segment: Segment, target_shape: tuple[int, int, int], patch: int) -> Tensor:
    """Target token index under each token of any segment ``[N]``; -1 where there is none."""
    index = aligned_tokens(segment, target_shape, patch)
    if index is None:
        return torch.full((grid_tokens(segment.latents_CTHW.shape, patch),), -1)
    return index


def _segment_positions(segment: Segment, patch: int) -> Tensor:
    return visual_positions(
        *_grid(segment.latents_CTHW.shape, patch),
        source_id=segment.source_id,
        start=segment.start,
        step=segment.step,
    )


def _grid(shape: Sequence[int], patch: int) -> tuple[int, int, int]:
    """Tokens along time, height and width of a latent (T, H, W) or (C, T, H, W)."""
    t, h, w = shape[-3:]
    return t, h // patch, w // patch
