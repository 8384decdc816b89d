"""The commands of a component's card, stage by stage, so that they can be run again.

A card tells which stage started from which (:mod:`omnireel.registry.descent`). Run folders of the
machine that trained it are gone, so every stage gets a folder of its own here, and starts from what
the stages before were exported to:

- a recipe runs with its recorded words, and with the folders of this chain for those of that one;
- a rung of a ladder becomes the recipe that the ladder would run for it;
- the mean of two models is taken of the two stages that it was taken of.

What a card cannot answer for is refused with the stage and the reason, before anything is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from omnireel.errors import FailedPrecondition, NotFound
from omnireel.recipes.recorded import Recorded, recorded
from omnireel.recipes.repeated import RecordedStage, repeat
from omnireel.recipes.repeated_rung import RecordedClimb
from omnireel.registry import verify
from omnireel.registry.descent import START, parents
from omnireel.shipped import SHIPPED_ORACLE, SHIPPED_TINY


@dataclass(frozen=True)
class Step:
    """One command to run."""

    recorded: str
    """As the card has it; empty for the export at the end of a stage."""
    arguments: tuple[str, ...]
    """After ``omnireel``."""
    done: Path
    """Exists when it need not be run again."""
    component: Path
    """What its stage ends with; when that is whole, no step of the stage need be run."""
    run: Path | None = None
    """Run folder of a training command."""

    @property
    def is_done(self) -> bool:
        """Whether it need not be run."""
        return self.done.exists() or (self.component / "card.json").is_file()


@dataclass(frozen=True)
class Reproduction:
    """How a component is made again."""

    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What will not be as it was."""
    obstacles: list[str] = field(default_factory=list)
    """What cannot run on this machine, and what helps."""


def component_of(name: str) -> Path:
    """A shipped component by name, or a component folder.

    Raises:
        NotFound: neither.
        FailedPrecondition: the oracle, which no recipe makes.

    """
    if (SHIPPED_TINY / name / "card.json").is_file():
        return SHIPPED_TINY / name
    if (Path(name) / "card.json").is_file():
        return Path(name)
    if name == SHIPPED_ORACLE.name:
        raise FailedPrecondition(
            f"the oracle was fitted by hand in stages, not by a recipe; {SHIPPED_ORACLE}/card.json "
            "has the closest commands (python -m omnireel.evaluate.perception.fit)"
        )
    shipped = ", ".join(sorted(p.parent.name for p in SHIPPED_TINY.glob("*/card.json")))
    raise NotFound(f"there is no component {name!r}; use {shipped}, or a component folder")


def reproduction(component: Path, out: Path, *, device: str = "") -> Reproduction:
    """The steps that make ``component`` again below ``out``.

    Args:
        component: its folder, of which the card is read.
        out: folder for all stages.
        device: train every stage there, for as many steps as the card says, not minutes. "": each
            where it was trained.

    Raises:
        FailedPrecondition: a stage cannot be repeated; the line says which and why.

    """
    card = verify(component)
    chain = _Chain(component.name, [*card.get("earlier", ()), card], out, device)
    for number in range(1, len(chain.stages) + 1):
        chain.add(number)
    chain.plan.notes.extend(_limits_of(card))
    return chain.plan


class _Chain:
    """The steps so far, and what each stage makes."""

    def __init__(
        self, name: str, stages: Sequence[Mapping[str, Any]], out: Path, device: str
    ) -> None:
        self.stages = stages
        self.plan = Reproduction()
        self._name, self._out, self._device = name, out, device
        self._made: dict[int, Path] = {}
        self._vaes: dict[str, Path] = {}
        """Autoencoders that ladders trained on their way, by the command."""

    def add(self, number: int) -> None:
        """Plan one stage."""
        facts = self.stages[number - 1]
        label = f"stage {number} of {len(self.stages)} of {self._name}"
        lines = str(facts.get("command", "")).splitlines()
        if not lines:
            raise FailedPrecondition(f"{label} has no command in its card")
        commands = [recorded(line, label) for line in lines]
        before = parents(self.stages, number)
        if unknown := [place for place in before.values() if place not in self._made]:
            raise FailedPrecondition(
                f"the card of {label} says that it started from stage {unknown[0]}, which it does "
                "not list"
            )
        starts = {part: self._made[place] for part, place in before.items()}
        if commands[0].verb == "average":
            self._made[number] = self._average(label, number, lines[0], commands[0], starts)
            return
        if commands[0].verb == "ladder":
            # Started again, a climb goes on where it was: its last command tells all.
            lines = lines[-1:]
            commands = [self._rung(label, number, commands[-1], starts)]
        stage = RecordedStage(label, facts, self._out / f"{number}-{commands[0].recipe}", starts)
        self._made[number] = self._train(stage, lines, commands)

    def _average(
        self, label: str, number: int, line: str, command: Recorded, starts: Mapping[str, Path]
    ) -> Path:
        if not {"first", "second"} <= set(starts):
            raise FailedPrecondition(
                f"{label} is the mean of two models, and its card does not say which stages made "
                "them; average them again with this release, whose card does"
            )
        made = self._out / f"{number}-average-component"
        models = (str(starts["first"]), str(starts["second"]), str(made))
        share = command.one("--share", "0.5")
        words = ("models", "average", *models, "--share", share)
        self.plan.steps.append(Step(line, words, made / "card.json", made))
        return made

    def _rung(
        self, label: str, number: int, command: Recorded, starts: Mapping[str, Path]
    ) -> Recorded:
        """What a ladder ran for a rung."""
        climb = RecordedClimb.of(command, label)
        rung = climb.rung_of(self.stages[number - 1], label)
        vae = climb.given("vae")
        if climb.vaes and rung.part != "vae":
            vae = self._autoencoder(label, number, command, climb)
        return climb.run_of(rung, vae, starts)

    def _autoencoder(
        self, label: str, number: int, command: Recorded, climb: RecordedClimb
    ) -> Path | None:
        """The one that a ladder trained on its way, rung by rung."""
        vae, key = climb.given("vae"), repr(command)
        if key in self._vaes:
            return self._vaes[key]
        for rung in climb.vaes:
            begin = {} if vae is None else {START: vae}
            stage = RecordedStage(
                f"the rung {rung.name} before {label}",
                {},
                self._out / f"{number}-{rung.name}",
                begin,
            )
            run = climb.run_of(rung, None, begin)
            vae = self._vaes[key] = self._train(stage, [f"{stage.label} has no card"], [run])
        return vae

    def _train(
        self, stage: RecordedStage, lines: Sequence[str], commands: Sequence[Recorded]
    ) -> Path:
        """The training commands of one stage, and its export."""
        folder = stage.folder
        made = folder.with_name(f"{folder.name}-component")
        for part, (line, command) in enumerate(zip(lines, commands, strict=True), start=1):
            run = repeat(command, stage, device=self._device)
            self.plan.notes.extend(n for n in run.notes if n not in self.plan.notes)
            done = folder / f".repeated-{part}"
            self.plan.steps.append(Step(line, run.arguments, done, made, run=folder))
            if part == 1 and not (made / "card.json").is_file():
                self._check_device(stage, run.device, made)
        cache = commands[0].options.get("--cache", [])
        named = ("--cache", cache[-1]) if cache else ()
        words = ("train", "export", str(folder), str(made), *named)
        self.plan.steps.append(Step("", words, made / "card.json", made))
        return made

    def _check_device(self, stage: RecordedStage, device: str, made: Path) -> None:
        if torch.device(device).type != "cuda" or torch.cuda.is_available():
            return
        where = stage.facts.get("hardware", device)
        self.plan.obstacles.append(
            f"{stage.label} was trained on {where}, and no such device is here; use --device cpu, "
            f"or run the same command where there is one and bring {made} here"
        )


def _limits_of(card: Mapping[str, Any]) -> list[str]:
    """What even the same commands need not make equal, in words."""
    found = []
    commands = " ".join(str(s.get("command", "")) for s in (*card.get("earlier", ()), card))
    if "max-minutes" in commands or "max_minutes" in commands:
        found.append("stages with a time limit take as many steps as this machine makes in it")
    if revision := card.get("git_revision"):
        found.append(f"the card is of revision {revision}; recipes may have changed since")
    return found
