"""What every recipe is: a frozen dataclass that holds a complete configuration and can build it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.train import Objective, TrainData, TrainerConfig

Report = Callable[[str, int, int], None]
"""Progress of preparing data: (what, finished, total)."""


@dataclass(frozen=True)
class Workplace:
    """Where a recipe finds and puts its data.

    ``pinned`` holds the data folders that the run used before (:attr:`Assembly.pinned`): a resumed
    or exported run reads exactly those, even when the world has changed since.
    """

    cache: Path
    report: Report
    pinned: Mapping[str, str] = field(default_factory=dict)
    started_from: Path | None = None
    """The component that the run began with, also when it is resumed: to compare with."""


@dataclass(frozen=True, eq=False)
class Assembly:
    """What the trainer needs beside its configuration."""

    objective: Objective
    data: TrainData
    pinned: Mapping[str, str] = field(default_factory=dict)
    """What the run stands on (data folders, hashes of other components) by name; a resumed run
    must have the same."""
    weigh: Callable[[Any], float] | None = None
    """How much a batch counts in the mean over the batches of a step; by default all the same."""


@dataclass(frozen=True, eq=False)
class ComponentParts:
    """A serving component in memory: what :func:`omnireel.registry.save_component` takes."""

    kind: str
    config: Mapping[str, Any]
    state_dict: Mapping[str, Tensor]
    card: Mapping[str, Any]


class Recipe(Protocol):
    """A complete training configuration; implementations are frozen dataclasses."""

    title: ClassVar[str]

    @property
    def trainer(self) -> TrainerConfig:
        """The loop's configuration."""

    def prepare(self, place: Workplace) -> Mapping[str, str]:
        """Build the data and nothing else; what :attr:`Assembly.pinned` will say of it."""

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """Prepare the data and build the objective (warm-started if asked)."""

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The serving component of trained ``weights`` (``"<module>.<name>"`` -> tensor)."""


def check_counts(recipe: object, **least: int) -> None:
    """Refuse fields of a recipe that are below the ``least`` that makes sense.

    Raises:
        InvalidInput: naming the field.

    """
    for name, number in least.items():
        if getattr(recipe, name) < number:
            raise InvalidInput(f"{name} must be {number} or more", field=name)


def module_weights(weights: Mapping[str, Tensor], module: str) -> dict[str, Tensor]:
    """The tensors of one module, without its prefix."""
    prefix = f"{module}."
    return {n.removeprefix(prefix): t for n, t in weights.items() if n.startswith(prefix)}
