"""A sample (text, condition segments, target) becomes tokens of one packed sequence.

Many samples of any lengths are packed side by side, without padding::

    condition stream   [text_1 | segments_1 | text_2 | segments_2 | ...]
    target stream      [target_1 | target_2 | ...]

The two streams share weights and differ in what they may see: conditions attend among themselves
and never learn the diffusion time, targets attend to both.  So a condition's keys and values are
the same at every denoising step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from omnireel.model.attention import AttentionLayout
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
    t, h, w = shape[-3:]
    return t * (h // patch) * (w // patch)


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
class PackedSequence:
    """Samples packed side by side. Nc, Nt count condition and target tokens, Nv visual ones."""

    text_ids: Tensor
    text_slots: Tensor
    """Where each text token sits in the condition stream."""
    sample_of_text: Tensor
    """Which sample each text token belongs to."""
    patches_NP: Tensor
    """Visual condition tokens ``[Nv, P]``."""
    patch_slots: Tensor
    """Where each visual token sits in the condition stream."""
    roles: Tensor
    """Role index of every condition token ``[Nc]``."""
    condition_positions_N4: Tensor
    target_positions_N4: Tensor
    sample_of_target: Tensor
    """Which sample each target token belongs to ``[Nt]``."""
    aligned_patch: Tensor
    aligned_target: Tensor
    """Pairs: visual token ``aligned_patch[i]`` lies on target token ``aligned_target[i]``."""
    condition_layouts: tuple[AttentionLayout, ...]
    target_layouts: tuple[AttentionLayout, ...]
    """Layer l uses entry l modulo the length. Keys of a target are [conditions | targets]."""
    target_shapes: tuple[tuple[int, int, int], ...]
    patch: int
    """Tokens are ``patch x patch`` squares of one latent frame."""

    @property
    def num_conditions(self) -> int:
        """Condition tokens in the pack."""
        return int(self.roles.numel())

    @property
    def target_lengths(self) -> tuple[int, ...]:
        """Target tokens of each sample."""
        return tuple(grid_tokens(shape, self.patch) for shape in self.target_shapes)

    @property
    def equal_targets(self) -> bool:
        """Whether all samples have equally many target tokens."""
        return len(set(self.target_lengths)) == 1

    def to(self, device: torch.device | str) -> PackedSequence:
        """The same pack on ``device``."""
        moved: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                moved[field.name] = value.to(device)
        return replace(
            self,
            **moved,
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
    if len(patches_of := {sample.patch for sample in samples}) != 1:
        raise ValueError(f"one pack has tokens of one size, not of {sorted(patches_of)}")
    (patch,) = patches_of
    text_ids, text_slots, patches, patch_slots = [], [], [], []
    roles, condition_positions, target_positions = [], [], []
    aligned_patch, aligned_target, condition_blocks, target_blocks = [], [], [], []
    num_conditions = num_patches = num_targets = 0
    for sample in samples:
        first = num_conditions
        n = len(sample.text.ids)
        text_ids.append(torch.tensor(sample.text.ids))
        text_slots.append(torch.arange(num_conditions, num_conditions + n))
        roles.append(torch.full((n,), ROLES.index(Role.TEXT)))
        condition_positions.append(text_positions(torch.tensor(sample.text.sources)))
        num_conditions += n
        for segment in sample.segments:
            tokens = patchify(segment.latents_CTHW, patch)
            n = tokens.shape[0]
            _, t, h, w = segment.latents_CTHW.shape
            patches.append(tokens)
            patch_slots.append(torch.arange(num_conditions, num_conditions + n))
            roles.append(torch.full((n,), ROLES.index(segment.role)))
            condition_positions.append(
                visual_positions(
                    t,
                    h // patch,
                    w // patch,
                    source_id=segment.source_id,
                    start=segment.start,
                    step=segment.step,
                )
            )
            index = aligned_tokens(segment, sample.target_shape, patch)
            if index is not None:
                keep = index >= 0
                aligned_patch.append(torch.arange(num_patches, num_patches + n)[keep])
                aligned_target.append(index[keep] + num_targets)
            num_conditions += n
            num_patches += n
        t, h, w = sample.target_shape
        target_positions.append(visual_positions(t, h // patch, w // patch, source_id=0))
        n = target_positions[-1].shape[0]
        condition_blocks.append(torch.arange(first, num_conditions))
        target_blocks.append(torch.arange(num_targets, num_targets + n))
        num_targets += n

    empty = torch.zeros(0, dtype=torch.long)
    target_keys = [
        torch.cat([c, x + num_conditions])
        for c, x in zip(condition_blocks, target_blocks, strict=True)
    ]
    lengths = torch.tensor([len(x) for x in target_blocks])
    text_lengths = torch.tensor([len(x) for x in text_ids])
    numbers = torch.arange(len(samples))
    return PackedSequence(
        text_ids=torch.cat(text_ids).to(device),
        text_slots=torch.cat(text_slots).to(device),
        sample_of_text=torch.repeat_interleave(numbers, text_lengths).to(device),
        patches_NP=(torch.cat(patches) if patches else torch.zeros(0, 0)).to(device),
        patch_slots=(torch.cat(patch_slots) if patch_slots else empty).to(device),
        roles=torch.cat(roles).to(device),
        condition_positions_N4=torch.cat(condition_positions).to(device),
        target_positions_N4=torch.cat(target_positions).to(device),
        sample_of_target=torch.repeat_interleave(numbers, lengths).to(device),
        aligned_patch=(torch.cat(aligned_patch) if aligned_patch else empty).to(device),
        aligned_target=(torch.cat(aligned_target) if aligned_target else empty).to(device),
        condition_layouts=(AttentionLayout.build(condition_blocks, condition_blocks, device),),
        target_layouts=(AttentionLayout.build(target_blocks, target_keys, device),),
        target_shapes=tuple(s.target_shape for s in samples),
        patch=patch,
    )
