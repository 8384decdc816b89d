"""One rank's part of a packed sequence.

Both streams are cut into as many equal parts as ranks; a part that is short gets *spare* tokens,
which ask but are never keys, and whose output nobody reads::

    conditions   [c0 c1 c2 -] [c3 c4 - -]                 contiguous; each part ends with a spare
    targets      [a0 a1 b0 b1] [a2 - b2 -]                equal samples: each is cut by itself, so
                                                          that a part is a smaller equal pack
    targets      [t0 t1 t2] [t3 t4 -]                     otherwise contiguous

Layouts name *gathered* rows, rank after rank: what attention sees after the tokens came together.
Visual tokens that lie on a target are data, not activations: the rank that has the target gets a
copy, whose place in its condition stream is the spare at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from omnireel.model.attention import AttentionLayout
from omnireel.model.sequence import PackedSequence


@dataclass(frozen=True, eq=False)
class SequenceShard(PackedSequence):
    """The tokens of one rank; ``target_shapes`` are still those of the whole samples."""

    text_counts_B: Tensor
    """Text tokens of each whole sample."""
    own_text_counts_B: Tensor
    """Text tokens of each sample that are here."""
    gathered_of_target: Tensor
    """Where each target token of the whole pack is among the gathered ones ``[Nt]``."""
    local_runs: bool
    """Each sample has equally many target tokens here, one sample after the other."""

    @property
    def equal_targets(self) -> bool:
        """Whether this part is made of equally long runs, one for each sample."""
        return self.local_runs

    @property
    def target_lengths(self) -> tuple[int, ...]:
        """Not known to a part: it has spare tokens."""
        raise TypeError("a part of a sequence has no whole targets; gather the parts first")


@dataclass(frozen=True, eq=False)
class _Parts:
    """Which token is in which slot: ``slots_PS``, -1 for spares; and the other way round."""

    slots_PS: Tensor
    owner_N: Tensor
    place_N: Tensor

    @classmethod
    def of(cls, slots_PS: Tensor, count: int) -> _Parts:
        owner, place = torch.zeros(2, count, dtype=torch.long)
        ranks, places = torch.nonzero(slots_PS >= 0, as_tuple=True)
        tokens = slots_PS[ranks, places]
        owner[tokens], place[tokens] = ranks, places
        return cls(slots_PS, owner, place)

    @property
    def size(self) -> int:
        return self.slots_PS.shape[1]

    def gathered(self, part_size: int, offset: int = 0) -> Tensor:
        """Row of each token when parts of ``part_size`` rows follow each other."""
        return self.owner_N * part_size + offset + self.place_N

    def spares(self) -> Tensor:
        """Gathered rows of all spares."""
        return torch.nonzero(self.slots_PS.flatten() < 0).flatten()


def shard(
    packed: PackedSequence, noisy_NP: Tensor, rank: int, degree: int
) -> tuple[SequenceShard, Tensor]:
    """Part ``rank`` of ``degree`` of a pack, and its rows of the noisy target tokens."""
    device = packed.roles.device
    packed_targets = packed.sample_of_target.numel()
    conditions = _Parts.of(_condition_slots(packed.num_conditions, degree), packed.num_conditions)
    slots, runs = _target_slots(packed, degree)
    targets = _Parts.of(slots, packed_targets)

    # Without runs a spare counts to the first sample: nobody reads it.
    own_targets = targets.slots_PS[rank]
    samples = len(packed.target_shapes)
    sample_of_target = (
        torch.arange(samples).repeat_interleave(targets.size // samples)
        if runs
        else _rows(packed.sample_of_target.cpu(), own_targets)
    )
    text = conditions.owner_N[packed.text_slots.cpu()] == rank
    sample_of_text = packed.sample_of_text.cpu()
    key_size = conditions.size + targets.size
    keys = torch.cat([conditions.gathered(key_size), targets.gathered(key_size, conditions.size)])
    own_conditions = conditions.slots_PS[rank]
    part = SequenceShard(
        text_ids=packed.text_ids[text.to(device)],
        text_slots=conditions.place_N[packed.text_slots.cpu()[text]].to(device),
        sample_of_text=sample_of_text[text].to(device),
        roles=_rows(packed.roles, own_conditions),
        condition_positions_N4=_rows(packed.condition_positions_N4, own_conditions),
        target_positions_N4=_rows(packed.target_positions_N4, own_targets),
        sample_of_target=sample_of_target.to(device),
        **_patches(packed, conditions, targets, rank, noisy_NP),
        condition_layouts=tuple(
            _layout(x, conditions, conditions.gathered(conditions.size), device)
            for x in packed.condition_layouts
        ),
        target_layouts=tuple(_layout(x, targets, keys, device) for x in packed.target_layouts),
        target_shapes=packed.target_shapes,
        patch=packed.patch,
        text_counts_B=torch.bincount(sample_of_text, minlength=samples).to(device),
        own_text_counts_B=torch.bincount(sample_of_text[text], minlength=samples).to(device),
        gathered_of_target=targets.gathered(targets.size).to(device),
        local_runs=runs,
    )
    return part, _rows(noisy_NP, own_targets)


def _condition_slots(count: int, degree: int) -> Tensor:
    """Contiguous parts ``[P, S]``, each with a spare at its end."""
    size = -(-count // degree)
    slots = F.pad(torch.arange(count), (0, size * degree - count), value=-1).view(degree, size)
    return F.pad(slots, (0, 1), value=-1)


def _target_slots(packed: PackedSequence, degree: int) -> tuple[Tensor, bool]:
    """Parts ``[P, S]`` of the targets, and whether each is made of equal runs of all samples."""
    count = packed.sample_of_target.numel()
    samples = len(packed.target_shapes) if packed.equal_targets else 1
    each = count // samples
    size = -(-each // degree)
    slots_BL = F.pad(torch.arange(count).view(samples, each), (0, size * degree - each), value=-1)
    slots_PBl = slots_BL.view(samples, degree, size).transpose(0, 1)
    return slots_PBl.reshape(degree, samples * size), packed.equal_targets


def _rows(x: Tensor, slots_S: Tensor) -> Tensor:
    """Rows of ``x``, 0 for spares."""
    index = slots_S.to(x.device)
    rows = x[index.clamp(min=0)]
    spare = (index < 0).view(-1, *[1] * (x.ndim - 1))
    return rows.masked_fill(spare, 0)


def _patches(
    packed: PackedSequence, conditions: _Parts, targets: _Parts, rank: int, noisy_NP: Tensor
) -> dict[str, Tensor]:
    """Visual tokens of this part, and those that lie on its targets."""
    device = packed.roles.device
    slots = packed.patch_slots.cpu()
    resident = conditions.owner_N[slots] == rank
    pairs = targets.owner_N[packed.aligned_target.cpu()] == rank
    lying = packed.aligned_patch.cpu()[pairs]
    needed = resident.clone()
    needed[lying] = True
    chosen = torch.nonzero(needed).flatten()
    spare = conditions.size - 1
    places = torch.where(resident, conditions.place_N[slots], spare)[chosen]
    patches_NP = packed.patches_NP[chosen.to(device)]
    if not len(chosen):
        # Ranks that share weights run the same layers, so nobody may be without visual tokens.
        patches_NP = noisy_NP.new_zeros(1, noisy_NP.shape[1])
        places = torch.tensor([spare])
    new_number = torch.cumsum(needed, 0) - 1
    return {
        "patches_NP": patches_NP,
        "patch_slots": places.to(device),
        "aligned_patch": new_number[lying].to(device),
        "aligned_target": targets.place_N[packed.aligned_target.cpu()[pairs]].to(device),
    }


def _layout(
    layout: AttentionLayout, queries: _Parts, key_rows: Tensor, device: torch.device
) -> AttentionLayout:
    """The same blocks over gathered rows; spare queries join the first block."""
    rows = queries.gathered(queries.size)
    q_blocks = [rows[q] for q in torch.split(layout.q_index.cpu(), list(layout.q_lengths))]
    q_blocks[0] = torch.cat([q_blocks[0], queries.spares()])
    k_blocks = [key_rows[k] for k in torch.split(layout.k_index.cpu(), list(layout.k_lengths))]
    return AttentionLayout.build(q_blocks, k_blocks, device)
