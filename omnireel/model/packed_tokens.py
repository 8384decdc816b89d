"""The tokens of packed samples as plain tensors, and which of these hold indices of what: so that
tokens which were made apart can be put side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor

Space = Literal["conditions", "visual", "targets", "samples"]
"""What an index may count: tokens of the condition stream, the visual ones among them, target
tokens, samples."""

INDEX_SPACES: Mapping[str, Space] = {
    "text_slots": "conditions",
    "sample_of_text": "samples",
    "patch_slots": "conditions",
    "sample_of_target": "samples",
    "aligned_patch": "visual",
    "aligned_target": "targets",
}
"""The fields of :class:`PackedTokens` that hold indices, and of what. Indices are shifted when
tokens are put side by side; every other tensor is concatenated as it is."""


@dataclass(frozen=True, eq=False)
class PackedTokens:
    """Tokens of samples side by side: Nx text tokens and Nv visual ones (together the Nc condition
    tokens), and Nt target tokens. P = C * patch * patch values make a visual token."""

    text_ids: Tensor
    """``[Nx]``."""
    text_slots: Tensor
    """Where each text token sits in the condition stream ``[Nx]``."""
    sample_of_text: Tensor
    """Which sample each text token belongs to ``[Nx]``."""
    patches_NP: Tensor
    """Visual condition tokens ``[Nv, P]``; without any ``[0, 0]``, since P is not known."""
    patch_slots: Tensor
    """Where each visual token sits in the condition stream ``[Nv]``."""
    roles: Tensor
    """Role index of every condition token ``[Nc]``."""
    condition_positions_N4: Tensor
    """``[Nc, 4]``, see :mod:`omnireel.model.positions`."""
    target_positions_N4: Tensor
    """``[Nt, 4]``."""
    sample_of_target: Tensor
    """Which sample each target token belongs to ``[Nt]``."""
    aligned_patch: Tensor
    aligned_target: Tensor
    """Pairs, both ``[A]``: visual token ``aligned_patch[i]`` lies on target token
    ``aligned_target[i]``."""
    target_shapes: tuple[tuple[int, int, int], ...]
    patch: int
    """Tokens are ``patch x patch`` squares of one latent frame."""

    @property
    def num_conditions(self) -> int:
        """Condition tokens."""
        return int(self.roles.numel())

    def count(self, space: Space) -> int:
        """How many there are."""
        match space:
            case "conditions":
                return self.num_conditions
            case "visual":
                return len(self.patches_NP)
            case "targets":
                return int(self.sample_of_target.numel())
            case "samples":
                return len(self.target_shapes)

    def to(self, device: torch.device | str) -> Self:
        """The same on ``device``."""
        moved: dict[str, Any] = {
            field.name: value.to(device)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return replace(self, **moved)


def concatenated(parts: Sequence[PackedTokens]) -> PackedTokens:
    """The samples of all parts, one part after the other."""
    offsets = {space: starts([part.count(space) for part in parts]) for space in get_args(Space)}
    joined: dict[str, Tensor] = {}
    for field in fields(PackedTokens):
        values = [getattr(part, field.name) for part in parts]
        if field.name == "patches_NP":
            # Parts without visual tokens do not know P.
            values = [value for value in values if len(value)] or values[:1]
        if space := INDEX_SPACES.get(field.name):
            values = [value + first for value, first in zip(values, offsets[space], strict=True)]
        if isinstance(values[0], Tensor):
            joined[field.name] = torch.cat(values)
    shapes = tuple(shape for part in parts for shape in part.target_shapes)
    return PackedTokens(**joined, target_shapes=shapes, patch=parts[0].patch)


def starts(counts: Sequence[int]) -> list[int]:
    """Where each of several runs begins when they lie side by side."""
    return list(accumulate(counts[:-1], initial=0))
