"""The commands of a component's card, stage by stage, so that they can be run again.

A card tells the chain: each stage was started from the one before. Run folders of the machine that
trained it are gone, so every stage gets a folder of its own here, and starts from what the stage
before was exported to. What a card cannot answer for is refused with the stage and the reason.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnireel.errors import FailedPrecondition, NotFound
from omnireel.recipes import RECIPES
from omnireel.registry import verify
from omnireel.shipped import SHIPPED_TINY, located

_RUNS = "runs"


@dataclass(frozen=True)
class Step:
    """One command to run. ``done`` exists when it need not be run again."""

    recorded: str
    """As the card has it; empty for the export between two stages."""
    arguments: tuple[str, ...]
    """After ``omnireel``."""
    done: Path


def component_of(name: str) -> Path:
    """A shipped component by name, or a component folder.

    Raises:
        NotFound: neither.

    """
    if (SHIPPED_TINY / name / "card.json").is_file():
        return SHIPPED_TINY / name
    if (Path(name) / "card.json").is_file():
        return Path(name)
    shipped = ", ".join(sorted(p.parent.name for p in SHIPPED_TINY.glob("*/card.json")))
    raise NotFound(f"there is no component {name!r}; use {shipped}, or a component folder")


def reproduction(component: Path, out: Path) -> list[Step]:
    """The steps that make ``component`` again below ``out``.

    Raises:
        FailedPrecondition: a stage cannot be repeated; the line says which and why.

    """
    card = verify(component)
    stages = [*card.get("earlier", ()), card]
    steps: list[Step] = []
    before: Path | None = None
    for number, stage in enumerate(stages, start=1):
        label = f"stage {number} of {len(stages)} of {component}"
        recipe = str(stage.get("recipe", ""))
        commands = str(stage.get("command", "")).splitlines()
        if not commands:
            raise FailedPrecondition(f"{label} has no command in its card")
        folder = out / f"{number}-{recipe}"
        made = out / f"{number}-{recipe}-component"
        steps += _stage(label, commands, before, folder)
        steps.append(Step("", ("train", "export", str(folder), str(made)), made / "card.json"))
        before = made
    return steps


def _stage(label: str, commands: Sequence[str], before: Path | None, folder: Path) -> list[Step]:
    """The training commands of one stage, in its own folder and from the stage before."""
    steps = []
    for part, command in enumerate(commands):
        words = shlex.split(command)
        if words[:2] != ["omnireel", "train"] or len(words) < 3 or words[2] not in RECIPES:
            raise FailedPrecondition(
                f"{label} was made by {command!r}, which is no recipe of this release"
            )
        options = _options(words[3:], label)
        options["--out"] = [str(folder)]
        if "--init-from" in options:
            start = before or located(Path(options["--init-from"][0]))
            if before is None and not (start / "card.json").is_file():
                raise FailedPrecondition(f"{label} starts from {start}, which is not here")
            options["--init-from"] = [str(start)]
        for setting in options.get("--set", []):
            _check_setting(label, setting)
        flat = [part for name, values in options.items() for v in values for part in (name, v)]
        resume = [name for name, values in options.items() if not values]
        done = folder / f".repeated-{part + 1}"
        steps.append(Step(command, ("train", words[2], *flat, *resume), done))
    return steps


def _options(words: Sequence[str], label: str) -> dict[str, list[str]]:
    """``--name value`` and ``--flag`` as name -> values; a flag has none."""
    found: dict[str, list[str]] = {}
    rest = list(words)
    while rest:
        name = rest.pop(0)
        if not name.startswith("--"):
            raise FailedPrecondition(f"{label} has the word {name!r}, which is no option")
        name, equals, value = name.partition("=")
        values = found.setdefault(name, [])
        if equals:
            values.append(value)
        elif rest and not rest[0].startswith("--"):
            values.append(rest.pop(0))
    return found


def _check_setting(label: str, setting: str) -> None:
    """Settings may name folders; those of another machine's runs are not here."""
    name, _, value = setting.partition("=")
    path = Path(value.strip("\"'"))
    if path.parts[:1] == (_RUNS,) and not path.exists():
        raise FailedPrecondition(
            f"{label} reads {name} from {path}, which its card does not say how to make; export "
            "the component again from a run without that setting"
        )


def limits_of(card: Mapping[str, Any]) -> list[str]:
    """What even the same commands need not make equal, in words."""
    found = []
    commands = " ".join(str(s.get("command", "")) for s in (*card.get("earlier", ()), card))
    if "--max-minutes" in commands or "max_minutes" in commands:
        found.append("stages with a time limit take as many steps as this machine makes in it")
    if revision := card.get("git_revision"):
        found.append(f"the card is of revision {revision}; recipes may have changed since")
    return found
