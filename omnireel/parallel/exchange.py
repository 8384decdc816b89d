"""Collective operations with gradients.

Legend: ``P`` ranks of a group. The loss of a group is computed on each of its ranks from the whole
output; a rank's gradient is its own share, and the sum over the ranks is the gradient.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from omnireel.parallel.mesh import SequenceGroup


def all_to_all(x_P: Tensor, group: SequenceGroup) -> Tensor:
    """Part j of dimension 0 goes to rank j; part i of the result came from rank i."""
    if group.degree == 1:
        return x_P
    result: Tensor = _AllToAll.apply(x_P, group)
    return result


def all_sum(x: Tensor, group: SequenceGroup) -> Tensor:
    """The sum over the group, on every rank of it; so is its gradient."""
    if group.degree == 1:
        return x
    result: Tensor = _AllSum.apply(x, group)
    return result


def all_gather(x: Tensor, group: SequenceGroup) -> Tensor:
    """All ranks' tensors along dimension 0; a rank gets the gradient of its own part."""
    if group.degree == 1:
        return x
    result: Tensor = _AllGather.apply(x, group)
    return result


def exchange(x_P: Tensor, group: SequenceGroup) -> Tensor:
    """:func:`all_to_all` without a gradient; in two tiers where the group has them.

    With ranks (m, l) = (node, place): first every rank sends to place l of its own node all that is
    for any place l; then ranks of one place exchange between nodes. A message between nodes so
    carries what all ranks of a node have for one rank: fewer and larger ones.
    """
    with group.watch:
        if group.inside is None or group.between is None:
            return _single_tier(x_P, group.whole)
        x_ML = x_P.view(-1, group.node_ranks, *x_P.shape[1:])
        x_LM = _single_tier(x_ML.transpose(0, 1), group.inside)
        return _single_tier(x_LM.transpose(0, 1), group.between).flatten(0, 1)


def _single_tier(x_P: Tensor, group: dist.ProcessGroup | None) -> Tensor:
    x = x_P.contiguous()
    out = torch.empty_like(x)
    dist.all_to_all_single(out, x, group=group)
    return out


def _sum(x: Tensor, group: SequenceGroup) -> Tensor:
    total = x.clone()
    with group.watch:
        dist.all_reduce(total, group=group.whole)
    return total


class _AllToAll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_P: Tensor, group: SequenceGroup) -> Tensor:
        ctx.group = group
        return exchange(x_P, group)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return exchange(grads[0], ctx.group), None


class _AllSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: SequenceGroup) -> Tensor:
        ctx.group = group
        return _sum(x, group)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return _sum(grads[0], ctx.group), None


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: SequenceGroup) -> Tensor:
        ctx.group, ctx.rows = group, x.shape[0]
        parts = [torch.empty_like(x) for _ in range(group.degree)]
        with group.watch:
            dist.all_gather(parts, x.contiguous(), group=group.whole)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        start = ctx.group.rank * ctx.rows
        return grads[0][start : start + ctx.rows], None
