"""Packs and their condition caches put side by side: what was packed and encoded apart runs in one
call, as if all its samples had been packed at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from omnireel.model.attention import AttentionLayout
from omnireel.model.packed_tokens import concatenated, starts
from omnireel.model.sequence import PackedSequence
from omnireel.model.transformer import ConditionCache


def join_packs(packs: Sequence[PackedSequence]) -> PackedSequence:
    """One pack with the samples of all; each has one layout for all layers."""
    tokens = concatenated(packs)
    conditions = starts([pack.count("conditions") for pack in packs])
    targets = starts([pack.count("targets") for pack in packs])
    condition_blocks: list[Tensor] = []
    target_blocks: list[Tensor] = []
    target_keys: list[Tensor] = []
    for pack, condition, target in zip(packs, conditions, targets, strict=True):
        (of_conditions,), (of_targets,) = pack.condition_layouts, pack.target_layouts
        condition_blocks += [q + condition for q, _ in _blocks(of_conditions)]
        for q, k in _blocks(of_targets):
            target_blocks.append(q + target)
            own, total = pack.num_conditions, tokens.num_conditions
            target_keys.append(torch.where(k < own, k + condition, k - own + total + target))
    device = tokens.roles.device
    return PackedSequence(
        **vars(tokens),
        condition_layouts=(AttentionLayout.build(condition_blocks, condition_blocks, device),),
        target_layouts=(AttentionLayout.build(target_blocks, target_keys, device),),
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


def _blocks(layout: AttentionLayout) -> list[tuple[Tensor, Tensor]]:
    """The queries and keys of each block, on the host."""
    queries = torch.split(layout.q_index.cpu(), list(layout.q_lengths))
    keys = torch.split(layout.k_index.cpu(), list(layout.k_lengths))
    return list(zip(queries, keys, strict=True))
