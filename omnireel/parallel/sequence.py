"""A transformer whose sequences may be shared by several ranks, seen from outside as one.

Every rank of a group is given the whole pack and gets the whole velocity back; in between it holds
and computes its own part. So objectives need not know of it: each rank computes the same loss from
the same output and differentiates its own part. The sum of the ranks' gradients is the gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from torch import Tensor, nn

from omnireel.errors import InvalidInput
from omnireel.model.sequence import PackedSequence
from omnireel.model.transformer import ConditionCache, OmniTransformer
from omnireel.parallel.exchange import all_gather, all_sum
from omnireel.parallel.mesh import SequenceGroup
from omnireel.parallel.shard import SequenceShard, shard
from omnireel.parallel.ulysses import UlyssesAttention, check_heads


class SequenceParallel(nn.Module):
    """Called like the :class:`OmniTransformer` that it holds."""

    def __init__(self, model: OmniTransformer) -> None:
        """``model`` was built with a :class:`UlyssesAttention`.

        Raises:
            InvalidInput: it was built with another attention function.

        """
        super().__init__()
        if not isinstance(model.attend, UlyssesAttention):
            raise InvalidInput(
                "sequence parallelism needs a transformer built with UlyssesAttention as its "
                "attention function",
                field="attend",
            )
        self.model = model
        self._attend = model.attend

    @contextmanager
    def over(self, group: SequenceGroup) -> Iterator[None]:
        """Share sequences with ``group`` inside the block, backward passes included."""
        check_heads(self.model.config.heads, group.degree)
        with self._attend.over(group):
            yield

    def forward(self, noisy_NP: Tensor, timesteps_B: Tensor, packed: PackedSequence) -> Tensor:
        """Velocity ``[Nt, P]`` of all target tokens, on every rank of the group."""
        group = self._attend.group
        part, own_noisy_NP = shard(packed, noisy_NP, group.rank, group.degree)
        cache = self._encode(part, group)
        own_velocity_NP = self.model.denoise(own_noisy_NP, timesteps_B, part, cache)
        gathered_NP = all_gather(own_velocity_NP, group)
        return gathered_NP[part.gathered_of_target]

    def _encode(self, part: SequenceShard, group: SequenceGroup) -> ConditionCache:
        """Conditions of this part; the mean of the text is that of all parts."""
        cache = self.model.encode_conditions(part)
        sums_BD = all_sum(cache.summary_BD * part.own_text_counts_B[:, None], group)
        return replace(cache, summary_BD=sums_BD / part.text_counts_B[:, None])
