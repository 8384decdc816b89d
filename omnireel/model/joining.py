"""Packs and their condition caches put side by side: what was packed and encoded apart runs in one
call, as if all its samples had been packed at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from omnireel.model.attention import AttentionLayout
from omnireel.model.sequence import PackedSequence
from omnireel.model.transformer import ConditionCache


def join_packs(packs: Sequence[PackedSequence]) -> PackedSequence:
    """One pack with the samples of all; each has one layout for all layers."""
    conditions = _offsets([pack.num_conditions for pack in packs])
    targets = _offsets([pack.sample_of_target.numel() for pack in packs])
    patches = _offsets([pack.patches_NP.shape[0] for pack in packs])
    samples = _offsets([len(pack.target_shapes) for pack in packs])
    total = sum(pack.num_conditions for pack in packs)
    device = packs[0].roles.device
    condition_blocks: list[Tensor] = []
    target_blocks: list[Tensor] = []
    target_keys: list[Tensor] = []
    for pack, condition, target in zip(packs, conditions, targets, strict=True):
        (of_conditions,), (of_targets,) = pack.condition_layouts, pack.target_layouts
        condition_blocks += [q + condition for q, _ in _blocks(of_conditions)]
        for q, k in _blocks(of_targets):
            target_blocks.append(q + target)
            own = pack.num_conditions
            target_keys.append(torch.where(k < own, k + condition, k - own + total + target))
    with_patches = [pack.patches_NP for pack in packs if pack.patches_NP.shape[0]]
    return PackedSequence(
        text_ids=torch.cat([pack.text_ids for pack in packs]),
        text_slots=_shifted([pack.text_slots for pack in packs], conditions),
        sample_of_text=_shifted([pack.sample_of_text for pack in packs], samples),
        patches_NP=torch.cat(with_patches) if with_patches else packs[0].patches_NP,
        patch_slots=_shifted([pack.patch_slots for pack in packs], conditions),
        roles=torch.cat([pack.roles for pack in packs]),
        condition_positions_N4=torch.cat([pack.condition_positions_N4 for pack in packs]),
        target_positions_N4=torch.cat([pack.target_positions_N4 for pack in packs]),
        sample_of_target=_shifted([pack.sample_of_target for pack in packs], samples),
        aligned_patch=_shifted([pack.aligned_patch for pack in packs], patches),
        aligned_target=_shifted([pack.aligned_target for pack in packs], targets),
        condition_layouts=(AttentionLayout.build(condition_blocks, condition_blocks, device),),
        target_layouts=(AttentionLayout.build(target_blocks, target_keys, device),),
        target_shapes=tuple(shape for pack in packs for shape in pack.target_shapes),
        patch=packs[0].patch,
    )


def join_caches(caches: Sequence[ConditionCache]) -> ConditionCache:
    """The cache of the joined packs, in the same order."""
    return ConditionCache(
        keys=tuple(torch.cat(layer) for layer in zip(*(c.keys for c in caches), strict=True)),
        values=tuple(torch.cat(layer) for layer in zip(*(c.values for c in caches), strict=True)),
        summary_BD=torch.cat([cache.summary_BD for cache in caches]),
        aligned_ND=torch.cat([cache.aligned_ND for cache in caches]),
        base_NP=torch.cat([cache.base_NP for cache in caches]),
    )


def _offsets(counts: Sequence[int]) -> list[int]:
    """Where each begins when they lie side by side."""
    return [sum(counts[:number]) for number in range(len(counts))]


def _shifted(indices: Sequence[Tensor], offsets: Sequence[int]) -> Tensor:
    return torch.cat([index + offset for index, offset in zip(indices, offsets, strict=True)])


def _blocks(layout: AttentionLayout) -> list[tuple[Tensor, Tensor]]:
    """The queries and keys of each block, on the host."""
    queries = torch.split(layout.q_index.cpu(), list(layout.q_lengths))
    keys = torch.split(layout.k_index.cpu(), list(layout.k_lengths))
    return list(zip(queries, keys, strict=True))
