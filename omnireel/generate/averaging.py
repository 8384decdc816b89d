"""One model out of two that went different ways from the same weights: the mean of their weights.

Fine-tuned from one start, two networks lie in one valley, and their mean keeps much of what each
learned (model soups, arXiv 2203.05482).
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.generate.components import transformer_config
from omnireel.registry import LoadedComponent, load_component, save_component
from omnireel.registry.descent import earlier_stages, joined

_FREE = "base_gate."
"""What the second model may lack: its absence is a gate that changes nothing."""


def average_models(first: Path, second: Path, share: float, out: Path, command: str) -> Path:
    """Write ``share`` of ``first`` and the rest of ``second`` to ``out``.

    Configuration, and the gate where only ``first`` has one, are those of ``first``.

    Args:
        first: component folder.
        second: component folder of the same kind and architecture.
        share: of ``first``, 0 to 1.
        out: component folder to write.
        command: for the card.

    Raises:
        NotFound, IntegrityError: see :func:`omnireel.registry.load_component`.
        InvalidInput: the share lies outside of 0 to 1, or the models differ in more than weights.

    """
    if not 0 <= share <= 1:
        raise InvalidInput(f"share must lie in 0 to 1, not {share:g}", field="share")
    one, other = load_component(first), load_component(second)
    _check_alike(one, other, second)
    state = {
        name: tensor
        if name not in other.state_dict
        else _mean(tensor, other.state_dict[name], share)
        for name, tensor in one.state_dict.items()
    }
    kept = ("limits", "capabilities", "data", "recipe")
    card: dict[str, Any] = {key: one.card[key] for key in kept if key in one.card}
    card |= {
        "title": one.card.get("title", "Generator"),
        "summary": "The mean of the weights of two models, each of which went a way of its own.",
        "command": command,
        **joined({"first": earlier_stages(one.card), "second": earlier_stages(other.card)}),
    }
    return save_component(out, kind=one.kind, config=one.config, state_dict=state, card=card)


def _mean(a: Tensor, b: Tensor, share: float) -> Tensor:
    return share * a.float() + (1 - share) * b.float()


def _check_alike(one: LoadedComponent, other: LoadedComponent, second: Path) -> None:
    lacking = {n for n in one.state_dict.keys() - other.state_dict.keys() if n.startswith(_FREE)}
    differing = sorted((one.state_dict.keys() ^ other.state_dict.keys()) - lacking) or [
        name
        for name, tensor in other.state_dict.items()
        if one.state_dict[name].shape != tensor.shape
    ]
    if one.kind != other.kind or differing:
        what = (
            f"is of kind {other.kind}" if one.kind != other.kind else f"differs in {differing[0]}"
        )
        raise InvalidInput(
            f"{second} {what}; models must share kind and architecture to be averaged",
            field="second",
        )
    spaces = {c.config.get("latent_space") for c in (one, other)}
    if len(spaces) > 1:
        raise InvalidInput(f"{second} was trained on another autoencoder's latents", field="second")
    theirs = _transformer(other)
    for name, value in _transformer(one).items():
        if value != theirs.get(name):
            raise InvalidInput(
                f"{second} differs in transformer.{name} of its config.json; only the weights of "
                "two models may differ",
                field="second",
            )


def _transformer(component: LoadedComponent) -> dict[str, Any]:
    """Its configuration but for the gate, which the weights tell of."""
    if "transformer" not in component.config:
        return {}
    with component.building() as config:
        found = asdict(transformer_config(config["transformer"]))
    del found["gated_base"]
    return found
