"""The three fitted readers as one component on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from omnireel.evaluate.perception.movement import MovementReader
from omnireel.evaluate.perception.reader import ReaderConfig, SceneReader
from omnireel.evaluate.perception.subject import SubjectReader
from omnireel.registry import load_component, save_component
from omnireel.shipped import SHIPPED_ORACLE


@dataclass(frozen=True, eq=False)
class Perception:
    """Readers of the scene, of one subject, and of movement."""

    scene: SceneReader
    subject: SubjectReader
    movement: MovementReader


def save_perception(folder: Path, eyes: Perception, card: Mapping[str, Any]) -> Path:
    """Write the readers as a component folder."""
    tensors = {
        f"{name}.{key}": tensor
        for name, module in _modules(eyes).items()
        for key, tensor in module.state_dict().items()
    }
    return save_component(
        folder,
        kind="oracle",
        config=asdict(eyes.scene.config),
        state_dict=tensors,
        card=card,
        dtype=torch.float16,
    )


@cache
def load_perception(folder: Path = SHIPPED_ORACLE) -> Perception:
    """The readers in ``folder`` (default: shipped); loaded once per process.

    Raises:
        NotFound, IntegrityError: the weights are missing or do not match their card.
    """
    component = load_component(folder, kind="oracle")
    eyes = Perception(
        SceneReader(ReaderConfig(**component.config)), SubjectReader(), MovementReader()
    )
    for name, module in _modules(eyes).items():
        prefix = f"{name}."
        module.load_state_dict(
            {
                key.removeprefix(prefix): tensor
                for key, tensor in component.state_dict.items()
                if key.startswith(prefix)
            }
        )
        module.eval().requires_grad_(False)
    return eyes


def _modules(eyes: Perception) -> dict[str, torch.nn.Module]:
    return {"scene": eyes.scene, "subject": eyes.subject, "movement": eyes.movement}
