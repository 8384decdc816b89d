"""A recorded training command as one that runs here: other folders, the same words otherwise."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.recipes import build_recipe
from omnireel.recipes.base import Recipe
from omnireel.recipes.config import override
from omnireel.recipes.recorded import Recorded
from omnireel.registry.descent import START
from omnireel.shipped import located

_ROLES = ("teacher", "reference", "base")
"""Fields of recipes that name a finished model, which the stage goes on from."""
_OF_ANOTHER_RECORD = ("--run-name", "--run-parent")
"""Of the MLflow server that kept the recorded run."""


@dataclass(frozen=True)
class RecordedStage:
    """What a card says of a stage, and where it is made again."""

    label: str
    facts: Mapping[str, Any]
    folder: Path
    """Run folder; what other stages make lies beside it."""
    starts: Mapping[str, Path]
    """What it starts from, see :mod:`omnireel.registry.descent`."""

    def start(self, part: str) -> Path | None:
        """The component that had this part in it."""
        return self.starts.get(part, self.starts.get(START))


@dataclass(frozen=True)
class Repeated:
    """A command to run here."""

    arguments: tuple[str, ...]
    """After ``omnireel``."""
    device: str
    notes: list[str] = field(default_factory=list)
    """What will not be as it was."""


def repeat(command: Recorded, stage: RecordedStage, *, device: str = "") -> Repeated:
    """The command of a stage, to be run here; ``device``: there, and for its steps, not minutes.

    Raises:
        FailedPrecondition: it reads what is not here, or its words mean nothing to this release.

    """
    options = {n: v for n, v in command.options.items() if n not in _OF_ANOTHER_RECORD}
    options["--out"] = [str(stage.folder)]
    settings = options.pop("--set", [])
    if "--init-from" in options:
        recorded = options["--init-from"][-1]
        begin = _begin(recorded, settings, stage)
        options["--init-from"] = [str(begin)]
        # A setting may name the same component: the enlarger that made a super-resolver's pairs.
        settings = [_moved(setting, recorded, begin) for setting in settings]
    notes: list[str] = []
    settings = _with_models(command, _without_caches(settings, stage, notes), stage)
    minutes = [f"trainer.max_minutes={m}" for m in options.get("--max-minutes", [])]
    recipe = _built(command.recipe, (*settings, *minutes), stage)
    _check_paths(recipe, settings, stage)
    found = recipe.trainer.device
    if device and torch.device(found).type != torch.device(device).type:
        settings = _elsewhere(settings, stage, device, notes)
        found = device
        if "steps" in stage.facts:
            options.pop("--max-minutes", None)
    flat = [word for name, values in options.items() for v in values for word in (name, v)]
    flat += [word for setting in settings for word in ("--set", setting)]
    flags = [name for name, values in options.items() if not values]
    return Repeated(("train", command.recipe, *flat, *flags), found, notes)


def _moved(setting: str, recorded: str, begin: Path) -> str:
    name, _, value = setting.partition("=")
    return f"{name}={begin}" if value == recorded else setting


def _begin(recorded: str, settings: list[str], stage: RecordedStage) -> Path:
    """Where the weights come from that training begins with."""
    # Cards of earlier releases tell of a student's teacher, and not of an earlier student.
    teachers = {s.partition("=")[2] for s in settings if s.startswith("teacher=")} - {recorded}
    if START in stage.starts and ("teacher" in stage.starts or not teachers):
        return stage.starts[START]
    here = located(Path(recorded))
    if not (here / "card.json").is_file():
        raise FailedPrecondition(
            f"{stage.label} starts from {recorded}, which is not here, and its card does not say "
            "how to make it"
        )
    return here


def _without_caches(settings: list[str], stage: RecordedStage, notes: list[str]) -> list[str]:
    """Caches of encoded data that are not here are made anew, from the same fields."""
    kept = []
    for setting in settings:
        name, _, value = setting.partition("=")
        if name.startswith("folders.") and not Path(value).exists():
            notes.append(
                f"{stage.label} read {value}, which is not here; it prepares the same samples anew"
            )
        else:
            kept.append(setting)
    return kept


def _with_models(command: Recorded, settings: list[str], stage: RecordedStage) -> list[str]:
    """Models that the stage goes on from are those of this chain, named or not."""
    named = {f.name for f in fields(build_recipe(command.recipe))}  # type: ignore[arg-type]
    found = {role: stage.start(role) for role in _ROLES if role in named}
    told = []
    for setting in settings:
        role = setting.partition("=")[0]
        model = found.pop(role, None)
        told.append(setting if model is None else f"{role}={model}")
    if "--resume" in command.options:
        return told
    return [*told, *(f"{role}={model}" for role, model in found.items() if model is not None)]


def _elsewhere(
    settings: list[str], stage: RecordedStage, device: str, notes: list[str]
) -> list[str]:
    """The settings for another device: a minute there is another amount of work."""
    facts, replaced = stage.facts, ["trainer.device="]
    told = [f"trainer.device={device}"]
    if "steps" in facts:
        replaced += ["trainer.max_minutes=", "trainer.num_steps="]
        told += ["trainer.max_minutes=null", f"trainer.num_steps={facts['steps']}"]
        notes.append(
            f"{stage.label} takes its {facts['steps']:,} steps on {device}, however long that is; "
            f"they took {facts.get('wall_time_s', '?')} s on {facts.get('hardware', '?')}"
        )
    return [*(s for s in settings if not s.startswith(tuple(replaced))), *told]


def _built(name: str, settings: tuple[str, ...], stage: RecordedStage) -> Recipe:
    try:
        return override(build_recipe(name), settings)
    except InvalidInput as error:
        raise FailedPrecondition(f"{stage.label} cannot be run again: {error}") from error


def _check_paths(recipe: Recipe, settings: list[str], stage: RecordedStage) -> None:
    """Folders that the settings name are here, or this chain makes them."""
    for setting in settings:
        name, _, value = setting.partition("=")
        path = functools.reduce(getattr, name.split("."), recipe)
        if not isinstance(path, Path) or path.exists():
            continue
        if not path.is_relative_to(stage.folder.parent):
            raise FailedPrecondition(
                f"{stage.label} reads {name} from {value}, which is not here, and its card does "
                "not say how to make it"
            )
