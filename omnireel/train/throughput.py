"""How fast a run is, and what its time went into.

The loop says which phase it is in (:meth:`Meter.phase`) and what it worked on
(:meth:`Meter.count`). Padding and recomputation happen inside the passes, where no clock can tell
them apart: they get the share of the passes' time that they have of the passes' operations.
Communication inside a phase (the engine knows how long) is taken out of that phase.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch

from omnireel.train.work import Work

Phase = Literal["data", "passes", "communication", "optimizer", "validation", "checkpoint"]
_PHASES: tuple[Phase, ...] = get_args(Phase)


@dataclass(frozen=True)
class Throughput:
    """Speed of all ranks together since it was last asked, and shares of their time.

    ``mfu`` is useful operations over what the devices could do at most, ``None`` where that is not
    known. ``shares`` are of the whole time and sum to 1: ``useful`` passes, and what held them
    back: ``data``, ``communication``, ``padding``, ``recomputation``, ``optimizer``,
    ``validation``, ``checkpoint`` and ``other``. ``imbalance`` is ``1 - mean / max`` over the
    ranks of their time in the passes of a step, and ``planned_imbalance`` what the plan of the
    batches expected, if there is one; ``None`` for one group of ranks.
    """

    samples_per_s: float = 0.0
    target_tokens_per_s: float = 0.0
    flops_per_s: float = 0.0
    mfu: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    imbalance: float | None = None
    planned_imbalance: float | None = None
    peak_memory_gb: float | None = None
    """The most that one rank has held so far: tensors on its GPU, or all of its process on a CPU;
    ``None`` where nobody looks."""

    def metrics(self) -> dict[str, float]:
        """By name, for files and servers; what is not known is left out."""
        found = {"samples_per_s": self.samples_per_s}
        if self.target_tokens_per_s:
            found["target_tokens_per_s"] = self.target_tokens_per_s
        if self.flops_per_s:
            found["flops_per_s"] = self.flops_per_s
        known = {
            "mfu": self.mfu,
            "imbalance": self.imbalance,
            "planned_imbalance": self.planned_imbalance,
            "peak_memory_gb": self.peak_memory_gb,
        }
        found |= {name: value for name, value in known.items() if value is not None}
        return found | {f"time_{name}": share for name, share in self.shares.items()}

    def __str__(self) -> str:
        """Short, for a progress bar: speed, and the largest thing that holds it back."""
        parts = [f"{self.samples_per_s:.1f} samples/s"]
        if self.target_tokens_per_s:
            parts.append(f"{self.target_tokens_per_s:,.0f} tokens/s")
        if self.flops_per_s:
            parts.append(_flops(self.flops_per_s))
        if self.mfu is not None:
            parts.append(f"MFU {self.mfu:.0%}")
        held = {name: share for name, share in self.shares.items() if name != "useful"}
        worst = max(held, key=lambda name: held[name], default="")
        if worst and held[worst] >= 0.01:
            parts.append(f"{worst} {held[worst]:.0%}")
        return "  ".join(parts)


class Meter:
    """One rank's stopwatches and counters; all ranks ask it for the speed of all of them."""

    def __init__(
        self,
        communicated_s: Callable[[], float] = lambda: 0.0,
        peak_flops: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
        memory: Callable[[], float] | None = None,
    ) -> None:
        """Start measuring.

        Args:
            communicated_s: seconds spent so far inside collective operations of other phases.
            peak_flops: operations per second that one rank's device can do at most, if known.
            clock: seconds.
            memory: bytes that this rank has held at most so far.

        """
        self._memory = memory
        self._communicated_s, self._peak, self._clock = communicated_s, peak_flops, clock
        self.start()

    def start(self) -> None:
        """Forget what was measured and start anew."""
        self._since = self._clock()
        self._seconds: dict[Phase, float] = dict.fromkeys(_PHASES, 0.0)
        self._work, self._samples = Work(), 0.0
        self._passes: list[float] = []
        self._expected: list[float] = []

    @contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        """The time of the block belongs to ``name``, apart from communication within it."""
        started, before = self._clock(), self._communicated_s()
        try:
            yield
        finally:
            waited = self._communicated_s() - before
            spent = self._clock() - started - waited
            self._seconds[name] += spent
            self._seconds["communication"] += waited
            if name == "passes":
                self._passes.append(spent)

    def count(self, work: Work, samples: float) -> None:
        """Another pass was over so much."""
        self._work += work
        self._samples += samples

    def expect(self, seconds: float) -> None:
        """The passes of this step were planned to take so long; 0: there is no plan."""
        self._expected.append(seconds)

    def take(
        self,
        total: Callable[[Sequence[float]], list[float]] = list,
        gather: Callable[[Any], list[Any]] = lambda own: [own],
        groups: int = 1,
        world: int = 1,
    ) -> Throughput:
        """The speed of all ranks since the last call (or the start); all ranks call it together.

        Args:
            total: sums over the groups.
            gather: everybody's value.
            groups: groups of ranks with different samples.
            world: ranks.

        """
        elapsed = max(self._clock() - self._since, 1e-9)
        work = self._work
        done = work.flops + work.padding_flops + work.repeated_flops
        shares: dict[str, float] = {"useful": self._seconds["passes"]}
        shares |= {p: self._seconds[p] for p in _PHASES if p != "passes"}
        parts = {"padding": work.padding_flops, "recomputation": work.repeated_flops}
        for name, flops in parts.items():
            shares[name] = shares["useful"] * flops / done if done else 0.0
        shares["useful"] -= shares["padding"] + shares["recomputation"]
        shares["other"] = elapsed - sum(shares.values())
        counts = [elapsed, self._samples, work.target_tokens, work.flops]
        sums = total([*counts, *shares.values()])
        rank_s, samples, tokens, flops_done = sums[:4]
        elapsed_s = rank_s / groups
        per_s = flops_done / elapsed_s
        result = Throughput(
            samples_per_s=samples / elapsed_s,
            target_tokens_per_s=tokens / elapsed_s,
            flops_per_s=per_s,
            mfu=per_s / (self._peak * world) if self._peak and per_s else None,
            shares={n: s / rank_s for n, s in zip(shares, sums[4:], strict=True)},
            imbalance=_imbalance(gather(self._passes)) if groups > 1 else None,
            planned_imbalance=_imbalance(gather(self._expected)) if groups > 1 else None,
            peak_memory_gb=max(gather(self._memory())) / 1e9 if self._memory else None,
        )
        self.start()
        return result


def peak_memory(device: str) -> float:
    """Bytes that this process has held at most: tensors on the GPU ``device``, or in main memory
    everything."""
    if torch.device(device).type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    # Linux counts in units of 1,024 bytes.
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _imbalance(passes: list[list[float]]) -> float | None:
    """Share of the time in passes that ranks wait for the slowest, over all steps; ``None`` without
    any time."""
    longest = sum(max(step) for step in zip(*passes, strict=True))
    mean = sum(map(sum, passes)) / len(passes)
    return 1.0 - mean / longest if longest > 0 else None


def _flops(per_s: float) -> str:
    for unit, size in (("P", 1e15), ("T", 1e12)):
        if per_s >= size:
            return f"{per_s / size:.1f} {unit}FLOP/s"
    return f"{per_s / 1e9:.1f} GFLOP/s"
