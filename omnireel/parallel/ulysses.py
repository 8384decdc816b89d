"""Attention over tokens that are spread over a group of ranks (DeepSpeed Ulysses, 2309.14509).

1. Every rank has all heads of its own tokens. One all-to-all gives it all tokens of its own heads:
   part r of the gathered rows are those of rank r.
2. Attention runs as on one rank; the layout names gathered rows (:mod:`omnireel.parallel.shard`).
3. A second all-to-all brings the results back to where their tokens are.

Queries, keys and values travel in one message. It is an ``AttentionFn`` like any other
(:mod:`omnireel.model.attention`), so the transformer does not know of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.model.attention import (
    AttentionFn,
    AttentionLayout,
    operator_name,
    padded_attention,
    pads,
)
from omnireel.parallel.exchange import all_to_all
from omnireel.parallel.mesh import ALONE, SequenceGroup


@dataclass(frozen=True, eq=False)
class UlyssesAttention:
    """``(q_NKE, k_MKE, v_MKE, layout) -> out_NKE`` over a group of ranks.

    One that is made stays with its group: what is computed again in the backward pass meets the
    same ranks, whatever other sequences are shared by then.
    """

    inner: AttentionFn = padded_attention
    """Attends once the tokens are together."""
    group: SequenceGroup = ALONE

    @property
    def name(self) -> str:
        """For logs: the operator that attends once the tokens are together."""
        return f"Ulysses around {operator_name(self.inner)}"

    @property
    def pads(self) -> bool:
        """Whether that operator pads blocks."""
        return pads(self.inner)

    def __call__(
        self, q_NKE: Tensor, k_MKE: Tensor, v_MKE: Tensor, layout: AttentionLayout
    ) -> Tensor:
        """Attend.

        Raises:
            InvalidInput: the heads cannot be divided among the ranks.

        """
        group = self.group
        if group.degree == 1:
            return self.inner(q_NKE, k_MKE, v_MKE, layout)
        check_heads(q_NKE.shape[1], group.degree)
        n, m = q_NKE.shape[0], k_MKE.shape[0]
        rows_RKE = torch.cat([q_NKE, k_MKE, v_MKE])
        rows_PRkE = rows_RKE.view(n + 2 * m, group.degree, -1, rows_RKE.shape[2]).transpose(0, 1)
        gathered_PRkE = all_to_all(rows_PRkE, group)
        q, k, v = (x.flatten(0, 1) for x in torch.split(gathered_PRkE, [n, m, m], dim=1))
        out_NkE = self.inner(q, k, v, layout)
        out_PNkE = out_NkE.view(group.degree, -1, *out_NkE.shape[1:])
        return all_to_all(out_PNkE, group).transpose(0, 1).flatten(1, 2)


def check_heads(heads: int, degree: int) -> None:
    """Raise :class:`InvalidInput` unless ``degree`` ranks get equally many heads."""
    if heads % degree:
        choices = [d for d in range(1, heads + 1) if heads % d == 0]
        raise InvalidInput(
            f"{heads} heads cannot be shared by {degree} ranks; the Ulysses degree must be one of "
            f"{', '.join(map(str, choices))}",
            field="parallel.ulysses",
        )
