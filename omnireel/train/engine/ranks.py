"""Several processes: DeepSpeed ZeRO over all ranks, Ulysses within groups of them.

The batches of a step (``trainer.accumulate``) are shared out among the groups, so a run is the same
run on any number of ranks: the same batches, the same random numbers, the same mean. A batch may be
shared by several groups; process groups for every degree are made once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.model.transformer import OmniTransformer
from omnireel.parallel.fragments import Fragment, collect
from omnireel.parallel.mesh import Mesh, build_mesh
from omnireel.parallel.ranks import Rank
from omnireel.parallel.sequence import SequenceParallel, share_sequences
from omnireel.parallel.zero import ZeroRuntime
from omnireel.train.ema import Ema
from omnireel.train.engine.base import Snapshot, attention_used
from omnireel.train.engine.partitioned import PartitionedOptimizer
from omnireel.train.engine.single import check_names
from omnireel.train.objective import LossReport, Objective, named_parameters, named_tensors
from omnireel.train.optim import Optimizers

if TYPE_CHECKING:
    from omnireel.train.trainer_config import TrainerConfig

T = TypeVar("T")


class RanksEngine:
    """One of several ranks, see :class:`omnireel.train.engine.base.Engine`."""

    def __init__(
        self, config: TrainerConfig, objective: Objective, rank: Rank, largest_degree: int = 1
    ) -> None:
        """All ranks call this with equal arguments, after they joined.

        Raises:
            FailedPrecondition: DeepSpeed is missing.
            InvalidInput: the ranks cannot be grouped, or the batches of a step not shared.

        """
        parallel = config.parallel
        self.rank = rank
        self._degree = parallel.ulysses
        self.groups, self.group = rank.world // self._degree, rank.rank // self._degree
        self._mesh = _mesh(config, min(largest_degree, self.groups))
        if config.accumulate % self.groups:
            raise InvalidInput(
                f"{config.accumulate} batches per step cannot be shared by {self.groups} groups of "
                f"{self._degree} ranks; set trainer.accumulate to a multiple of {self.groups} (a "
                "step averages over that many batches, on any number of ranks)",
                field="trainer.accumulate",
            )
        modules = objective.modules()
        self._sharing = _share(modules, self._mesh) if len(self._mesh.groups) > 1 else []
        self._attention = attention_used(objective)
        named = named_parameters(objective)
        self._device = next(iter(named.values())).device
        self._buffers = {n: t for n, t in named_tensors(objective).items() if n not in named}
        self._whole = _WholeOptimizer(Optimizers(config.optimizer, named), config.clip_norm)
        self._parts = PartitionedOptimizer(config.optimizer, named) if parallel.zero else None
        self._zero = ZeroRuntime(
            modules,
            self._parts or self._whole,
            parallel,
            clip_norm=config.clip_norm,
        )
        if self._parts is not None:
            self._parts.bind(rank, self._zero.flat_buffers(), lambda: self._zero.norm)
        names = sorted([*named, *self._buffers])
        self._owners = {name: i % rank.world for i, name in enumerate(names)}

    def describe(self) -> str:
        """Ranks, stage, degree."""
        degrees = " or ".join(str(d) for d in sorted(self._mesh.groups) if d >= self._degree)
        return (
            f"{self.rank.world} ranks, ZeRO-{self._zero.stage}, sequences shared by {degrees} "
            f"(Ulysses); {self._attention}"
        )

    def forward(self, call: Callable[[], LossReport], degree: int = 1) -> LossReport:
        """A training pass; DeepSpeed gathers weights on the way in stage 3."""
        reports: list[LossReport] = []

        def inside() -> Tensor:
            reports.append(call())
            return reports[0].loss

        group = self._mesh.group(degree * self._degree)
        with ExitStack() as stack:
            for sharing in self._sharing:
                stack.enter_context(sharing.over(group))
            loss = self._zero.run(inside)
        return replace(reports[0], loss=loss)

    def evaluate(self, call: Callable[[], T]) -> T:
        """The same for anything else."""
        results: list[T] = []

        def inside() -> Tensor:
            results.append(call())
            return torch.zeros(())

        self._zero.run(inside)
        return results[0]

    def backward(self, loss: Tensor, share: float, *, last: bool = True) -> None:
        """Add to the gradients."""
        self._zero.backward(loss, share, last=last)

    def step(self, multiplier: float, norm_limit: float) -> float:
        """Clip and update in DeepSpeed's step."""
        optimizer = self._whole if self._parts is None else self._parts
        optimizer.norm_limit = norm_limit
        optimizer.set_multiplier(multiplier)
        self._zero.step()
        return self._whole.norm if self._parts is None else self._zero.norm

    def communicated_s(self) -> float:
        """Ulysses' exchanges and DeepSpeed's collectives."""
        exchanges = sum(group.watch.seconds for group in self._mesh.groups.values())
        return exchanges + self._zero.communicated_s()

    def averaged(self) -> Mapping[str, Tensor]:
        """Whole tensors, or in stage 3 this rank's slices of the parameters."""
        if self._zero.stage < 3:
            return {n: p.view(s) for n, (p, _, s) in self._zero.weights().items()} | self._buffers
        return {n: p for n, (p, _, _) in self._zero.weights().items()} | self._buffers

    def snapshot(self, ema: Ema) -> Snapshot:
        """The tensors that this rank owns, copied to the CPU."""
        weights = self._zero.weights()
        model = self._owned({n: p for n, (p, _, _) in weights.items()} | self._buffers)
        averages = {
            f"{decay}/{name}": tensor
            for decay, shadow in ema.shadows.items()
            for name, tensor in self._owned(shadow).items()
        }
        if self._parts is None:
            states = {
                n: t.detach().to("cpu", copy=True)
                for n, t in self._whole.inner.state_tensors().items()
                if self._is_mine(n.split("/", 2)[2])
            }
        else:
            states = self._parts.state_tensors(lambda name: self._owners[name])
        return Snapshot(model, averages, states)

    def restore(self, saved: Snapshot, ema: Ema) -> None:
        """Take our parts of whole tensors."""
        weights = self._zero.weights()
        shapes = {n: torch.empty(s, device="meta") for n, (_, _, s) in weights.items()}
        check_names(saved.model, shapes | self._buffers)
        with torch.no_grad():
            for name, (piece, fragment, _) in weights.items():
                piece[: fragment.count].copy_(fragment.of(saved.model[name]))
            for name, buffer in self._buffers.items():
                buffer.copy_(saved.model[name])
        self._zero.weights_changed()
        ema.load_state_tensors(
            {
                full: self._average_part(full.split("/", 1)[1], tensor, weights)
                for full, tensor in saved.ema.items()
            }
        )
        if self._parts is None:
            self._whole.inner.load_state_tensors(saved.optimizer)
        else:
            self._parts.load_state_tensors(saved.optimizer)

    def sum(self, values: Sequence[float]) -> list[float]:
        """Sums over the groups; the ranks of a group say the same."""
        total = torch.tensor(list(values), dtype=torch.float64, device=self._device)
        dist.all_reduce(total)
        return [value / self._degree for value in total.tolist()]

    def gather(self, value: Any) -> list[Any]:
        """Everybody's ``value``."""
        found: list[Any] = [None] * self.rank.world
        dist.all_gather_object(found, value)
        return found

    def _is_mine(self, name: str) -> bool:
        return self._owners[name] == self.rank.rank

    def _owned(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Whole copies of what this rank owns, of weights (or what is cut like them)."""
        weights, found = self._zero.weights(), {}
        for name, tensor in tensors.items():
            shape = weights[name][2] if name in weights else tensor.shape
            if self._zero.stage == 3 and name in weights:
                fragment = weights[name][1]
                piece = tensor.detach()[: fragment.count]
                whole = collect(piece, fragment, shape, self._owners[name])
            else:
                whole = tensor.detach().view(shape) if self._is_mine(name) else None
            if whole is not None:
                found[name] = whole.to("cpu", copy=True)
        return found

    def _average_part(
        self, name: str, whole: Tensor, weights: Mapping[str, tuple[Tensor, Fragment, torch.Size]]
    ) -> Tensor:
        if self._zero.stage < 3 or name not in weights:
            return whole
        piece, fragment, _ = weights[name]
        part = torch.zeros(piece.shape)
        part[: fragment.count] = fragment.of(whole)
        return part


class _WholeOptimizer(torch.optim.Optimizer):
    """Stage 0: every rank has all gradients, already averaged; the same optimisers as alone."""

    def __init__(self, inner: Optimizers, clip_norm: float) -> None:
        super().__init__(inner.parameters, {})
        self.inner = inner
        self.norm, self.norm_limit = math.nan, math.inf
        self._clip_norm = clip_norm or math.inf
        self._multiplier = 1.0

    def set_multiplier(self, multiplier: float) -> None:
        self._multiplier = multiplier

    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        del closure
        self.norm = float(torch.nn.utils.clip_grad_norm_(self.inner.parameters, self._clip_norm))
        if math.isfinite(self.norm) and self.norm <= self.norm_limit:
            self.inner.step(self._multiplier)


def _mesh(config: TrainerConfig, largest_degree: int) -> Mesh:
    """Process groups of ``trainer.parallel.ulysses`` times 1, 2, 4, .. ranks."""
    parallel = config.parallel
    degrees = [parallel.ulysses << i for i in range(max(1, largest_degree.bit_length()))]
    return build_mesh(degrees, ranks_per_node=parallel.ranks_per_node or None)


def _share(modules: Mapping[str, Any], mesh: Mesh) -> list[SequenceParallel]:
    models = [m for m in modules.values() if isinstance(m, OmniTransformer)]
    if len(models) != len(modules):
        raise InvalidInput(
            "sequence parallelism is for transformers over packed sequences, and this recipe "
            "trains something else; leave trainer.parallel.ulysses at 1",
            field="parallel.ulysses",
        )
    largest = mesh.group(max(mesh.groups))
    return [share_sequences(model, largest) for model in models]
