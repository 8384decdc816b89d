"""From a training run to a serving component: averaged weights, configuration, model card."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.recipes.base import Report, Workplace
from omnireel.recipes.config import flatten
from omnireel.recipes.run import read_run
from omnireel.registry import save_component
from omnireel.registry.descent import Stage, joined
from omnireel.train.checkpoint import Checkpoint, load_checkpoint
from omnireel.train.revision import git_revision


def export_run(
    run: Path,
    out: Path,
    *,
    cache: Path,
    report: Report,
    scores: Mapping[str, float] | None = None,
    raw: bool = False,
) -> Path:
    """Write the component of a run's newest checkpoint to ``out``.

    Args:
        run: run folder.
        out: component folder; replaced as a whole when it exists.
        cache: where the training data is (some components measure statistics on it).
        report: progress of that.
        scores: measured elsewhere, added to the run's own last validation.
        raw: take the weights as trained instead of their first average.

    Raises:
        NotFound: no run, or no checkpoint yet.

    """
    saved = read_run(run)
    checkpoint = load_checkpoint(run)
    place = Workplace(cache, report, saved.pinned, saved.started_from)
    parts = saved.recipe.component(serving_weights(checkpoint, raw=raw), place)
    state = checkpoint.state
    card: dict[str, Any] = {
        "title": type(saved.recipe).title,
        "command": "\n".join(dict.fromkeys(c for c in saved.commands if c)),
        "recipe": saved.recipe_name,
        "steps": checkpoint.step,
        "samples": state["num_samples"],
        "seeds": seeds_of(saved.recipe),
        "wall_time_s": round(state["elapsed_s"]),
        "hardware": hardware(saved.recipe.trainer.device, saved.recipe.trainer.threads),
        "git_revision": git_revision(),
        "weights": "as trained" if raw else f"average with decay {state['ema_decays'][0]}",
        **({"rung": saved.rung} if saved.rung else {}),
        **parts.card,
        **_descent(saved.earlier, parts.card.get("earlier", ())),
        "scores": {**last_validation(run), **(scores or {}), **parts.card.get("scores", {})},
    }
    return save_component(
        out, kind=parts.kind, config=parts.config, state_dict=parts.state_dict, card=card
    )


def seeds_of(recipe: Any) -> str:
    """Every seed of a recipe by its dotted field, for the card: those of data and of training."""
    flat = flatten(recipe)
    return ", ".join(f"{name} {flat[name]}" for name in flat if name.split(".")[-1] == "seed")


def _descent(begun_from: Sequence[Stage], refined: Sequence[Stage]) -> dict[str, Any]:
    """What a card says of the stages before: those of the weights that training began with, and of
    the finished model that it refined. Only a student has both, the latter its teacher's."""
    if begun_from and refined:
        return joined({"start": begun_from, "teacher": refined})
    found = [*begun_from, *refined]
    return {"earlier": found} if found else {}


def serving_weights(checkpoint: Checkpoint, *, raw: bool) -> dict[str, Tensor]:
    """The first average of a checkpoint, completed by what is not averaged (integer buffers)."""
    weights = dict(checkpoint.model)
    decays = checkpoint.state["ema_decays"]
    if raw:
        return weights
    if not decays:
        raise InvalidInput(
            "the run kept no averaged weights; export with --raw", field="trainer.ema.decays"
        )
    prefix = f"{decays[0]}/"
    for name, tensor in checkpoint.ema.items():
        if name.startswith(prefix):
            weights[name.removeprefix(prefix)] = tensor
    return weights


def last_validation(run: Path) -> dict[str, float]:
    """Metrics of the last validation that ``metrics.jsonl`` records."""
    path = run / "metrics.jsonl"
    found: dict[str, Any] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["event"] == "validation":
                found = row
    return {k: v for k, v in found.items() if k not in ("event", "step")}


def hardware(device: str, threads: int) -> str:
    """What the weights were trained on, in words."""
    if torch.device(device).type == "cuda" and torch.cuda.is_available():
        return torch.cuda.get_device_name(torch.device(device))
    return f"{platform.machine()} CPU, {threads or torch.get_num_threads()} thread(s)"
