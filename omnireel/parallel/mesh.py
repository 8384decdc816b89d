"""The ranks of a job, cut into groups of neighbours for every Ulysses degree.

Groups of one degree follow each other from rank 0, so any mix of degrees that a scheduler lays out
largest first consists of groups made here. All are made once at the start, by all ranks in the
same order, as process groups demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch.distributed as dist

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.parallel.timed import Stopwatch

Group = dist.ProcessGroup


@dataclass(frozen=True, eq=False)
class SequenceGroup:
    """Ranks that share sequences, as one of them sees it. ``rank`` counts within the group.

    ``inside`` joins the group's ranks on this node and ``between`` the ranks with this place on the
    group's other nodes; both are ``None`` when the group is on one node or has one rank on each.
    """

    degree: int
    rank: int
    whole: Group | None
    inside: Group | None = None
    between: Group | None = None
    node_ranks: int = 1
    """Ranks of the group on each node, if there are two tiers."""
    watch: Stopwatch = field(default_factory=Stopwatch)
    """Runs during the group's collective operations."""


ALONE = SequenceGroup(degree=1, rank=0, whole=None)
"""A rank that shares nothing."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Our rank's group of every degree."""

    rank: int
    world: int
    groups: dict[int, SequenceGroup]

    def group(self, degree: int) -> SequenceGroup:
        """The group of ``degree`` ranks that this rank is in.

        Raises:
            InvalidInput: the mesh was built without that degree.

        """
        if degree not in self.groups:
            raise InvalidInput(
                f"no groups of {degree} ranks were made, only of {sorted(self.groups)}; add it to "
                "the degrees of the mesh",
                field="parallel.ulysses",
            )
        return self.groups[degree]


def build_mesh(degrees: Sequence[int], *, ranks_per_node: int | None = None) -> Mesh:
    """Make the process groups of all ``degrees``. Every rank must call it with equal arguments.

    Args:
        degrees: Ulysses degrees; each must divide the number of ranks. 1 is always there.
        ranks_per_node: neighbours with a fast connection; a group of more ranks exchanges in two
            tiers, first among those, then between nodes. ``None``: all ranks are on one node.

    Raises:
        FailedPrecondition: torch.distributed is not initialised.
        InvalidInput: a degree fits neither the number of ranks nor that of a node.

    """
    if not dist.is_initialized():
        raise FailedPrecondition(
            "a mesh needs torch.distributed; start with torchrun and call init_process_group",
            reason="NOT_DISTRIBUTED",
        )
    rank, world = dist.get_rank(), dist.get_world_size()
    node = ranks_per_node or world
    groups = {1: ALONE}
    for degree in sorted(set(degrees) - {1}):
        _check(degree, world, node)
        for first in range(0, world, degree):
            made = _build(range(first, first + degree), rank, node)
            if made is not None:
                groups[degree] = made
    return Mesh(rank, world, groups)


def _check(degree: int, world: int, node: int) -> None:
    if degree < 1 or world % degree:
        raise InvalidInput(
            f"{world} ranks cannot be cut into groups of {degree}; trainer.parallel.ulysses and "
            "packing.max_degree must divide the number of ranks",
            field="parallel.ulysses",
        )
    if degree % node and node % degree:
        raise InvalidInput(
            f"groups of {degree} ranks do not fit nodes of {node}; one must divide the other",
            field="parallel.ranks_per_node",
        )


def _build(ranks: range, rank: int, node: int) -> SequenceGroup | None:
    """The group of ``ranks``, or ``None`` if ``rank`` is not in it (it still has to take part)."""
    whole = _group(ranks)
    inside = between = None
    if len(ranks) > node > 1:
        for start in range(ranks.start, ranks.stop, node):
            made = _group(range(start, start + node))
            inside = made if start <= rank < start + node else inside
        for place in range(node):
            made = _group(ranks[place::node])
            between = made if rank in ranks[place::node] else between
    if rank not in ranks:
        return None
    return SequenceGroup(len(ranks), rank - ranks.start, whole, inside, between, node)


def _group(ranks: range) -> dist.ProcessGroup | None:
    """A new group; every rank calls this, and those outside get None."""
    made = dist.new_group(list(ranks))
    return made if isinstance(made, dist.ProcessGroup) else None
