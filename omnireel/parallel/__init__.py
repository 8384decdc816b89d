"""More than one rank: process groups, sequence parallelism, ZeRO and checkpoints that reshape.

1. ``mesh`` cuts the ranks into groups of every Ulysses degree; ``exchange`` moves tensors in them.
2. ``shard`` cuts one packed sequence into equal parts; ``ulysses`` is attention over the parts.
3. ``sequence`` joins both around an unchanged transformer: full tokens in, full tokens out.
4. ``engine`` shares optimiser state, gradients and weights (DeepSpeed ZeRO); ``checkpoints`` writes
   whole tensors, so that any number of ranks can go on from them.
"""

from __future__ import annotations

from omnireel.parallel.mesh import Mesh, SequenceGroup, build_mesh
from omnireel.parallel.sequence import SequenceParallel
from omnireel.parallel.shard import SequenceShard, shard
from omnireel.parallel.ulysses import UlyssesAttention

__all__ = [
    "Mesh",
    "SequenceGroup",
    "SequenceParallel",
    "SequenceShard",
    "UlyssesAttention",
    "build_mesh",
    "shard",
]
