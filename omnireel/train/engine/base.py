"""What the trainer asks of an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from torch import Tensor

from omnireel.model.attention import operator_name
from omnireel.model.transformer import OmniTransformer
from omnireel.parallel.ranks import Rank
from omnireel.train.ema import Ema
from omnireel.train.objective import LossReport, Objective

if TYPE_CHECKING:
    from omnireel.train.trainer_config import TrainerConfig

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Whole tensors by name: weights, averages, optimiser state.

    With several ranks each has some of the tensors, and all together have every one once.
    """

    model: Mapping[str, Tensor]
    ema: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]


class Engine(Protocol):
    """One of ``rank.world`` processes; all of them make the same calls in the same order.

    Ranks come in ``groups`` equal groups, the smallest that work on batches of their own; we are
    in number ``group``. Neighbouring groups may work on one batch together.
    """

    rank: Rank
    groups: int
    group: int

    def describe(self) -> str:
        """One line: ranks, what they share, and the attention operator."""

    def forward(self, call: Callable[[], LossReport], degree: int = 1) -> LossReport:
        """A training pass with all weights at hand, whose batch ``degree`` groups share: ours and
        its neighbours. Degrees are powers of two, largest first in every round."""

    def evaluate(self, call: Callable[[], T]) -> T:
        """Anything else that uses the weights, without gradient."""

    def backward(self, loss: Tensor, share: float, *, last: bool = True) -> None:
        """Add the gradient of ``share * loss``; ``share`` sums to 1 over the batches of a step.
        ``last``: :meth:`step` follows."""

    def step(self, multiplier: float, norm_limit: float) -> float:
        """Clip and update with all learning rates times ``multiplier``; the step ends.

        Returns the norm before clipping. If it is not finite or beyond ``norm_limit`` (minus
        infinity: always), nothing is changed.
        """

    def communicated_s(self) -> float:
        """Seconds so far in collective operations inside :meth:`forward`, :meth:`backward` and
        :meth:`step`, as far as they can be told from work."""

    def averaged(self) -> Mapping[str, Tensor]:
        """The tensors (or our parts of them) that moving averages follow."""

    def snapshot(self, ema: Ema) -> Snapshot:
        """A copy of everything that a checkpoint needs."""

    def restore(self, saved: Snapshot, ema: Ema) -> None:
        """Go back to whole tensors, whatever the number of ranks that saved them.

        Raises:
            IntegrityError: they belong to another model.

        """

    def sum(self, values: Sequence[float]) -> list[float]:
        """Sums over the groups."""

    def gather(self, value: Any) -> list[Any]:
        """Everybody's ``value`` by rank."""


def open_engine(
    config: TrainerConfig, objective: Objective, rank: Rank, largest_degree: int = 1
) -> Engine:
    """One process works alone; more share the work as ``config.parallel`` says, and a batch by up
    to ``largest_degree`` groups."""
    if rank.world == 1:
        from omnireel.train.engine.single import SingleEngine

        return SingleEngine(config, objective)
    from omnireel.train.engine.ranks import RanksEngine

    return RanksEngine(config, objective, rank, largest_degree)


def attention_used(objective: Objective) -> str:
    """The attention operators of the objective's transformers."""
    modules = objective.modules().values()
    names = {operator_name(m.attend) for m in modules if isinstance(m, OmniTransformer)}
    return f"attention: {', '.join(sorted(names)) or 'as the network has it'}"
