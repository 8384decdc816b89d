"""Transformers whose sequences are shared by several ranks, seen from outside as before.

Every rank of a group is given the whole pack and gets the whole velocity back; in between it holds
and computes its own part. So objectives need not know of it: each rank computes the same loss from
the same output and differentiates its own part. The sum of the ranks' gradients is the gradient.

Only whole training passes are shared. Evaluations without gradient (``encode_conditions`` and
``denoise`` called by an objective) run whole on every rank of the group.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from torch import Tensor

from omnireel.model.attention import AttentionFn
from omnireel.model.sequence import PackedSequence
from omnireel.model.transformer import ConditionCache, OmniTransformer, run_both_streams
from omnireel.parallel.exchange import all_gather, all_sum
from omnireel.parallel.mesh import ALONE, SequenceGroup
from omnireel.parallel.shard import SequenceShard, shard
from omnireel.parallel.ulysses import UlyssesAttention, check_heads


def share_sequences(model: OmniTransformer, group: SequenceGroup = ALONE) -> SequenceParallel:
    """Let ``model`` share the packs of its training passes with ``group`` from now on.

    Raises:
        InvalidInput: the heads cannot be divided among the ranks.

    """
    check_heads(model.config.heads, group.degree)
    model.run = sharing = SequenceParallel(group)
    return sharing


class SequenceParallel:
    """A transformer's ``run``: its training passes over the group that is set at the moment."""

    def __init__(self, group: SequenceGroup) -> None:
        self._group = group

    @contextmanager
    def over(self, group: SequenceGroup) -> Iterator[None]:
        """Share with ``group`` inside the block (its backward pass may come later)."""
        before, self._group = self._group, group
        try:
            yield
        finally:
            self._group = before

    def __call__(
        self,
        model: OmniTransformer,
        noisy_NP: Tensor,
        timesteps_B: Tensor,
        packed: PackedSequence,
    ) -> Tensor:
        """Velocity ``[Nt, P]`` of all target tokens, on every rank of the group."""
        group = self._group
        if group.degree == 1:
            return run_both_streams(model, noisy_NP, timesteps_B, packed)
        part, own_noisy_NP = shard(packed, noisy_NP, group.rank, group.degree)
        with _attending(model, UlyssesAttention(model.attend, group)):
            cache = _encode(model, part, group)
            own_velocity_NP = model.denoise(own_noisy_NP, timesteps_B, part, cache)
        gathered_NP = all_gather(own_velocity_NP, group)
        return gathered_NP[part.gathered_of_target]


@contextmanager
def _attending(model: OmniTransformer, attend: AttentionFn) -> Iterator[None]:
    """Let the model use another operator inside the block."""
    before, model.attend = model.attend, attend
    try:
        yield
    finally:
        model.attend = before


def _encode(model: OmniTransformer, part: SequenceShard, group: SequenceGroup) -> ConditionCache:
    """Conditions of this part; the mean of the text is that of all parts."""
    cache = model.encode_conditions(part)
    sums_BD = all_sum(cache.summary_BD * part.own_text_counts_B[:, None], group)
    return replace(cache, summary_BD=sums_BD / part.text_counts_B[:, None])
