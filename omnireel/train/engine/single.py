"""One process that holds everything."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from omnireel.errors import IntegrityError
from omnireel.parallel.ranks import Rank
from omnireel.train.ema import Ema
from omnireel.train.engine.base import Snapshot, attention_used
from omnireel.train.objective import LossReport, Objective, named_parameters, named_tensors
from omnireel.train.optim import Optimizers

if TYPE_CHECKING:
    from omnireel.train.trainer_config import TrainerConfig

T = TypeVar("T")


class SingleEngine:
    """Gradients, clipping and optimisers of torch and :mod:`omnireel.train.optim`."""

    def __init__(self, config: TrainerConfig, objective: Objective) -> None:
        self.rank, self.groups, self.group = Rank(), 1, 0
        self.optimizers = Optimizers(config.optimizer, named_parameters(objective))
        self._tensors = named_tensors(objective)
        self._clip_norm = config.clip_norm or math.inf
        self._step_begins = True
        self._objective = objective

    def describe(self) -> str:
        """Alone."""
        return f"one process; {attention_used(self._objective)}"

    def forward(self, call: Callable[[], LossReport], degree: int = 1) -> LossReport:
        """Just call."""
        del degree  # there is one group
        return call()

    def evaluate(self, call: Callable[[], T]) -> T:
        """Just call."""
        return call()

    def backward(self, loss: Tensor, share: float, *, last: bool = True) -> None:
        """Add to the gradients of this step."""
        del last
        if self._step_begins:
            self.optimizers.zero_grad()
            self._step_begins = False
        torch.autograd.backward(loss * share)

    def step(self, multiplier: float, norm_limit: float) -> float:
        """Clip and update."""
        norm = float(torch.nn.utils.clip_grad_norm_(self.optimizers.parameters, self._clip_norm))
        if math.isfinite(norm) and norm <= norm_limit:
            self.optimizers.step(multiplier)
        self._step_begins = True
        return norm

    def communicated_s(self) -> float:
        """There is nobody to talk to."""
        return 0.0

    def averaged(self) -> Mapping[str, Tensor]:
        """All tensors."""
        return self._tensors

    def snapshot(self, ema: Ema) -> Snapshot:
        """Copies on the CPU."""
        return Snapshot(
            copies(self._tensors),
            copies(ema.state_tensors()),
            copies(self.optimizers.state_tensors()),
        )

    def restore(self, saved: Snapshot, ema: Ema) -> None:
        """Copy back."""
        check_names(saved.model, self._tensors)
        with torch.no_grad():
            for name, tensor in saved.model.items():
                self._tensors[name].copy_(tensor)
        ema.load_state_tensors(saved.ema)
        self.optimizers.load_state_tensors(saved.optimizer)

    def sum(self, values: Sequence[float]) -> list[float]:
        """There is one group."""
        return list(values)

    def gather(self, value: Any) -> list[Any]:
        """There is one rank."""
        return [value]


def copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU that nobody else writes to."""
    return {n: t.detach().to("cpu", copy=True).contiguous() for n, t in tensors.items()}


def check_names(saved: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """Raise :class:`IntegrityError` unless both name the same tensors of the same shapes."""
    wrong = sorted(saved.keys() ^ own.keys()) or [
        f"{name} {tuple(saved[name].shape)} -> {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if saved[name].shape != tensor.shape
    ]
    if wrong:
        raise IntegrityError(
            f"the checkpoint fits another model, differing in {', '.join(wrong[:3])}; resume with "
            "the recipe that made it"
        )
