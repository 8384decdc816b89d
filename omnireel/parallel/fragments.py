"""Which numbers of a tensor a rank holds, and how a tensor becomes whole again.

ZeRO cuts flattened parameters where it likes. A :class:`Fragment` says which part of a parameter a
rank has and where that part lies in the rank's flat buffer; a :class:`FlatBuffer` is one such
buffer with the fragments of all ranks. Whoever knows them needs to know nothing else of a stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Fragment:
    """``count`` numbers of a flattened parameter from ``start`` on, at ``offset`` of a buffer."""

    start: int = 0
    count: int = 0
    offset: int = 0

    def of(self, whole: Tensor) -> Tensor:
        """The same part of a whole parameter, flat."""
        return whole.reshape(-1)[self.start : self.start + self.count]

    def within(self, flat: Tensor) -> Tensor:
        """The part itself, in a rank's buffer (a view)."""
        return flat[self.offset : self.offset + self.count]


@dataclass(frozen=True, eq=False)
class FlatBuffer:
    """A rank's numbers of several parameters in one flat tensor; equally long on all ranks."""

    tensor: Tensor
    shapes: Mapping[str, torch.Size]
    """Of the whole parameters, by name."""
    fragments: Sequence[Mapping[str, Fragment]]
    """Of every rank, by name; a rank that has nothing of a parameter has no entry."""

    def fragment(self, name: str, rank: int) -> Fragment:
        """What ``rank`` has of the parameter ``name``."""
        return self.fragments[rank].get(name, Fragment())

    def whole(self, flat_RN: Tensor, name: str) -> Tensor:
        """A parameter from the buffers of all ranks."""
        out = flat_RN.new_empty(self.shapes[name].numel())
        for rank in range(len(self.fragments)):
            part = self.fragment(name, rank)
            part.of(out).copy_(part.within(flat_RN[rank]))
        return out.view(self.shapes[name])


def exchange_fragments(own: Mapping[str, Fragment]) -> list[dict[str, Fragment]]:
    """What every rank has; all ranks call this."""
    found: list[dict[str, Fragment]] = [{} for _ in range(dist.get_world_size())]
    dist.all_gather_object(found, dict(own))
    return found


def gather_buffers(flat_N: Tensor) -> Tensor:
    """The buffers of all ranks ``[R, N]``, on every rank."""
    out = flat_N.new_empty(dist.get_world_size() * flat_N.numel())
    dist.all_gather_into_tensor(out, flat_N.contiguous())
    return out.view(-1, flat_N.numel())


def collect(piece: Tensor, fragment: Fragment, shape: torch.Size, owner: int) -> Tensor | None:
    """The whole tensor on rank ``owner``, ``None`` elsewhere; all ranks call this.

    Args:
        piece: this rank's numbers, flat.
        fragment: which they are.
        shape: of the whole.
        owner: the rank that gets it.

    """
    # Everybody adds its numbers to zeros: exact, and one operation whatever the cut.
    whole = torch.zeros(shape.numel(), dtype=piece.dtype, device=piece.device)
    fragment.of(whole).copy_(piece)
    dist.reduce(whole, owner)
    return whole.view(shape) if dist.get_rank() == owner else None
