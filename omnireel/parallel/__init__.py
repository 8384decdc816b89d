"""More than one rank: process groups, sequence parallelism, ZeRO.

1. ``ranks`` says who we are and joins the others; ``mesh`` cuts the ranks into groups of every
   Ulysses degree; ``exchange`` moves tensors in them.
2. ``shard`` cuts one packed sequence into equal parts; ``ulysses`` is attention over the parts.
3. ``sequence`` joins both around an unchanged transformer: full tokens in, full tokens out.
4. ``fragments`` says which numbers of a tensor a rank holds; ``zero`` shares optimiser state,
   gradients and weights (DeepSpeed).
"""

from __future__ import annotations

from omnireel.parallel.mesh import Mesh, SequenceGroup, build_mesh
from omnireel.parallel.ranks import ParallelConfig, Rank, join_ranks, main_first, rank_of
from omnireel.parallel.sequence import SequenceParallel, share_sequences
from omnireel.parallel.shard import SequenceShard, shard
from omnireel.parallel.ulysses import UlyssesAttention

__all__ = [
    "Mesh",
    "ParallelConfig",
    "Rank",
    "SequenceGroup",
    "SequenceParallel",
    "SequenceShard",
    "UlyssesAttention",
    "build_mesh",
    "join_ranks",
    "main_first",
    "rank_of",
    "shard",
    "share_sequences",
]
