"""What the trainer needs to know of an objective: a loss, and the weights that it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from omnireel.train.callbacks import ValidationReport
from omnireel.train.work import Work


@dataclass(frozen=True, eq=False)
class LossReport:
    """A scalar ``loss`` to differentiate, plain numbers to log, how many samples it saw, and how
    much work they were."""

    loss: Tensor
    metrics: Mapping[str, float] = field(default_factory=dict)
    num_samples: int = 1
    work: Work = field(default_factory=Work)
    """What the pass worked on, where that is known."""


class Stateless:
    """Base of an objective that a resumed run needs nothing of beyond its modules' tensors. Frozen
    networks beside them (a teacher, a reference) are not saved: their weights are pinned."""

    def state_dict(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""


class Objective(Protocol):
    """One training objective. Randomness comes from ``rng`` only, so a step can be repeated."""

    def modules(self) -> Mapping[str, nn.Module]:
        """The trained modules by name; their parameters and buffers go into checkpoints."""

    def loss(self, batch: Any, rng: torch.Generator) -> LossReport:
        """Forward pass on one batch."""

    def validate(self) -> ValidationReport:
        """Scores on held-out data; called with the averaged weights in place, without gradients."""

    def state_dict(self) -> Mapping[str, Any]:
        """JSON data beyond the modules' tensors that a resumed run needs, often none
        (:class:`Stateless`)."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore :meth:`state_dict`."""


def named_tensors(objective: Objective) -> dict[str, Tensor]:
    """``"<module>.<name>"`` for all parameters and persistent buffers (not copies)."""
    return {
        f"{prefix}.{name}": tensor
        for prefix, module in objective.modules().items()
        for name, tensor in module.state_dict(keep_vars=True).items()
    }


def named_parameters(objective: Objective) -> dict[str, nn.Parameter]:
    """``"<module>.<name>"`` for all parameters."""
    return {
        f"{prefix}.{name}": parameter
        for prefix, module in objective.modules().items()
        for name, parameter in module.named_parameters()
    }
