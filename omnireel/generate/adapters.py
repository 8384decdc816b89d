"""Adapters of a generator as components: what they fit, and how they join it.

An adapter holds low-rank changes for some layers of one base and says by hash which base that is;
on any other weights the changes would mean nothing.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from omnireel.errors import IntegrityError
from omnireel.generate.components import load_transformer, weights_sha256
from omnireel.model.lora import LoraConfig, add_lora, load_lora_state, merge_lora
from omnireel.model.transformer import OmniTransformer
from omnireel.registry import LoadedComponent, load_component, save_component
from omnireel.registry.descent import earlier_stages

ADAPTER = "adapter"


def adapter_config(base: LoadedComponent, lora: LoraConfig) -> dict[str, Any]:
    """What ``config.json`` of an adapter for ``base`` holds."""
    return {
        "base": {"kind": base.kind, "weights_sha256": weights_sha256(base)},
        "lora": asdict(lora),
    }


def base_of(adapter: Path | None, weights: Path) -> Path:
    """The generator in ``weights`` that ``adapter`` changes: what is served, or its teacher.

    A student's few steps do not survive more training, so adapters are trained on the teacher
    (``weights/teacher``), and one that is served brings its teacher with it.
    """
    served, teacher = weights / "generator", weights / "teacher"
    if adapter is None or not teacher.is_dir():
        return served
    with load_component(adapter, kind=ADAPTER).building() as config:
        wanted = config["base"]["weights_sha256"]
    return teacher if wanted == weights_sha256(load_component(teacher)) else served


def join_adapter(model: OmniTransformer, base: LoadedComponent, folder: Path) -> LoadedComponent:
    """Fold the adapter in ``folder`` into ``model``, in place; gives the adapter.

    Args:
        model: the network of ``base``.
        base: the component that the network came from.
        folder: component folder of the adapter.

    Raises:
        NotFound, IntegrityError: see :func:`omnireel.registry.load_component`; also an adapter of
            another base.
        InvalidInput: the folder holds no adapter, or one for another kind of network.

    """
    adapter = load_component(folder, kind=ADAPTER)
    with adapter.building() as config:
        kind, wanted = config["base"]["kind"], str(config["base"]["weights_sha256"])
        lora = LoraConfig(**{**config["lora"], "targets": tuple(config["lora"]["targets"])})
    have = weights_sha256(base)
    if wanted != have:
        raise IntegrityError(
            f"the adapter in {folder} was trained on the {kind} with weights "
            f"{wanted[:16]}, but these are {have[:16]}; give it that base, or train the "
            "adapter again on this one"
        )
    trained = model.training
    add_lora(model, lora)
    load_lora_state(model, adapter.state_dict)
    merge_lora(model)
    model.train(trained).requires_grad_(False)
    return adapter


def merge_adapter(adapter: Path, base: Path, out: Path) -> Path:
    """Write ``base`` with ``adapter`` folded in to ``out``, as a component of its own.

    Raises:
        NotFound, IntegrityError, InvalidInput: see :func:`join_adapter`.
        ResourceExhausted: the disk is full.

    """
    model, before = load_transformer(base, "generator")
    joined = join_adapter(model, before, adapter)
    kept = ("limits", "capabilities")
    card: dict[str, Any] = {key: before.card[key] for key in kept if key in before.card}
    for key in ("command", "recipe", "data", "steps", "samples", "wall_time_s", "hardware"):
        if key in joined.card:
            card[key] = joined.card[key]
    card |= {
        "title": f"{before.card.get('title', 'Generator')} with a merged adapter",
        "earlier": earlier_stages(before.card),
        "merged": {"base": weights_sha256(before), "adapter": weights_sha256(joined)},
    }
    return save_component(
        out, kind=before.kind, config=before.config, state_dict=model.state_dict(), card=card
    )
