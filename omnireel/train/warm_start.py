"""Begin from the weights of an earlier component."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from omnireel.errors import InvalidInput
from omnireel.registry import load_component


def warm_start(module: nn.Module, folder: Path, kinds: tuple[str, ...]) -> None:
    """Copy a component's weights into ``module``.

    Raises:
        NotFound, IntegrityError: see :func:`omnireel.registry.load_component`.
        InvalidInput: another kind of component, or another architecture.

    """
    component = load_component(folder)
    if component.kind not in kinds:
        raise InvalidInput(
            f"--init-from: {folder} holds a {component.kind}, this recipe starts from "
            f"{' or '.join(kinds)}",
            field="init_from",
        )
    own = module.state_dict()
    wrong = sorted(own.keys() ^ component.state_dict.keys()) or [
        f"{name} {tuple(component.state_dict[name].shape)} -> {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if tensor.shape != component.state_dict[name].shape
    ]
    if wrong:
        raise InvalidInput(
            f"--init-from: {folder} has another architecture ({', '.join(wrong[:3])}); set the "
            "recipe's model fields to the component's config.json",
            field="init_from",
        )
    module.load_state_dict(component.state_dict)
