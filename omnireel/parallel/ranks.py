"""Who we are among the processes of a job, as torchrun tells in the environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import torch
import torch.distributed as dist

from omnireel.errors import FailedPrecondition, InvalidInput, Unavailable

_PATIENCE = timedelta(hours=12)
"""Rank 0 may render and encode data for hours while the others wait; ranks that hang are found by
their heartbeats, not by this limit."""


@dataclass(frozen=True)
class ParallelConfig:
    """How several ranks share the work. One process alone ignores it."""

    zero: Literal[0, 1, 2, 3] = 0
    """What is shared out: 0 nothing, 1 optimiser state, 2 and gradients, 3 and weights."""
    ulysses: int = 1
    """So many neighbouring ranks share every sequence."""
    ranks_per_node: int = 0
    """Neighbours with a fast connection, for the two-tier exchange; 0: all ranks."""
    bucket_elements: int = 50_000_000
    """Gradients travel in buckets of so many numbers."""
    hang_s: float = 45.0
    """A rank is taken to hang when a part of a step or of a validation takes longer (and five times
    longer than in any of the last 50 steps); the first of its kind, a start or a checkpoint may
    take twenty times as long."""

    def __post_init__(self) -> None:
        if self.zero not in (0, 1, 2, 3):
            raise InvalidInput("zero must be 0, 1, 2 or 3", field="parallel.zero")
        for name, least in (("ulysses", 1), ("ranks_per_node", 0), ("bucket_elements", 1)):
            if getattr(self, name) < least:
                raise InvalidInput(f"{name} must be {least} or more", field=f"parallel.{name}")
        if not self.hang_s > 0:
            raise InvalidInput("hang_s must be more than 0", field="parallel.hang_s")


@dataclass(frozen=True)
class Rank:
    """One process of a job of ``world``; ``local`` counts on its machine."""

    rank: int = 0
    world: int = 1
    local: int = 0

    @property
    def main(self) -> bool:
        """Whether it is the one that writes and talks."""
        return self.rank == 0


def rank_of(environment: Mapping[str, str]) -> Rank:
    """The rank that torchrun (or ``omnireel train --ranks``) gave this process.

    Raises:
        FailedPrecondition: the variables are incomplete or make no sense.

    """
    if "WORLD_SIZE" not in environment and "RANK" not in environment:
        return Rank()
    try:
        found = Rank(
            int(environment["RANK"]),
            int(environment["WORLD_SIZE"]),
            int(environment.get("LOCAL_RANK", environment["RANK"])),
        )
    except (KeyError, ValueError) as error:
        raise FailedPrecondition(
            f"RANK and WORLD_SIZE must both be set to numbers ({error}); start with torchrun or "
            "with --ranks",
            reason="BAD_RANK",
        ) from error
    if not 0 <= found.rank < found.world:
        raise FailedPrecondition(
            f"RANK {found.rank} is not one of {found.world} ranks", reason="BAD_RANK"
        )
    return found


@contextmanager
def join_ranks(rank: Rank, device: str) -> Iterator[None]:
    """Connect with the other ranks during the block: NCCL between GPUs, gloo between CPUs."""
    if rank.world == 1:
        yield
        return
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.set_device(rank.local)
    dist.init_process_group(
        "nccl" if on_gpu else "gloo", rank=rank.rank, world_size=rank.world, timeout=_PATIENCE
    )
    try:
        yield
    except RuntimeError as error:
        if not any(name in str(error).lower() for name in ("gloo", "nccl")):
            raise
        raise Unavailable(
            f"rank {rank.rank} lost contact with another one, which has probably ended; its log "
            "says why"
        ) from error
    finally:
        dist.destroy_process_group()


def main_first(rank: Rank, action: Callable[[], Any]) -> None:
    """Let rank 0 do ``action`` while the others wait; what it raises is raised by all."""
    problem: Exception | None = None
    if rank.main:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - raised below, on every rank
            problem = error
    if rank.world > 1:
        told = [problem]
        dist.broadcast_object_list(told)
        problem = told[0]
    if problem is not None:
        raise problem
