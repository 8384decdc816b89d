"""A recorded climb of a ladder, and the recipes that it ran for its rungs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omnireel.errors import FailedPrecondition, OmnireelError
from omnireel.recipes.ladder import Part, Rung, build_ladder
from omnireel.recipes.recorded import Recorded
from omnireel.recipes.rung_work import rung_work, rungs_to_climb
from omnireel.registry.descent import START
from omnireel.shipped import located

_PASSED_ON = ("--cache", "--mlflow")


@dataclass(frozen=True)
class RecordedClimb:
    """A ``train ladder`` command: its rungs have their settings."""

    command: Recorded
    rungs: tuple[Rung, ...]

    @classmethod
    def of(cls, command: Recorded, label: str) -> RecordedClimb:
        """Find the rungs.

        Raises:
            FailedPrecondition: this release has no such ladder, rung or setting.

        """
        try:
            ladder = build_ladder(command.one("--size", "tiny"))
            first, last = command.one("--first"), command.one("--last")
            settings = command.options.get("--set", [])
            return cls(command, rungs_to_climb(ladder, first, last, settings)[1])
        except OmnireelError as error:
            raise FailedPrecondition(f"{label} cannot be run again: {error}") from error

    @property
    def smoke(self) -> bool:
        """Whether only the joints were tried."""
        return "--smoke" in self.command.options

    @property
    def vaes(self) -> tuple[Rung, ...]:
        """The rungs that trained an autoencoder for those after them, one from the other."""
        return tuple(rung for rung in self.rungs if rung.part == "vae")

    def given(self, part: Part) -> Path | None:
        """A part of the model that the climb began with, if that is here."""
        start = self.command.one("--start")
        path = Path(start) / part
        return path if start and located(path).is_dir() else None

    def rung_of(self, facts: Mapping[str, Any], label: str) -> Rung:
        """The rung that a card's stage was, with the recipe that the card names.

        Raises:
            FailedPrecondition: the card leaves it open.

        """
        named, recipe = facts.get("rung"), str(facts.get("recipe", ""))
        if named is None:
            fitting = [r for r in self.rungs if r.plan(smoke=self.smoke)[0] == recipe]
        else:
            fitting = [r for r in self.rungs if r.name == named]
        if len(fitting) != 1:
            raise FailedPrecondition(
                f"{label} was a rung of a ladder, and its card does not say which: it names "
                f"{named or recipe!r}, and the rungs are {', '.join(r.name for r in self.rungs)}"
            )
        recipe = recipe or fitting[0].plan(smoke=self.smoke)[0]
        return replace(fitting[0], recipe=recipe, smoke_recipe=recipe)

    def run_of(self, rung: Rung, vae: Path | None, starts: Mapping[str, Path]) -> Recorded:
        """What the ladder ran for a rung: the same words as of a recipe that was run by itself.

        Args:
            rung: one of these.
            vae: the autoencoder that it was given; None: the recipe's own.
            starts: what it starts from, see :mod:`omnireel.registry.descent`.

        Raises:
            FailedPrecondition: of the two models that it went on from, only one is known.

        """
        # Cards of earlier releases tell of a student's teacher, and not of an earlier student.
        two = rung.teacher not in ("", rung.start) and rung.name != self.rungs[0].name
        if two and START in starts and "teacher" not in starts:
            raise FailedPrecondition(
                f"the rung {rung.name} started from what {rung.start} made, and had what "
                f"{rung.teacher} made as its teacher; its card tells of the latter only"
            )
        stands_on = {} if vae is None or rung.part == "vae" else {"vae": vae}
        if START in starts:
            stands_on["reference"] = starts[START]
        teacher = starts.get("teacher", starts.get(START))
        if rung.teacher and teacher is not None:
            stands_on["teacher"] = teacher
        work = rung_work(rung, stands_on, smoke=self.smoke)
        options = {n: self.command.options[n] for n in _PASSED_ON if n in self.command.options}
        if work.init_from is not None:
            options["--init-from"] = [str(work.init_from)]
        return Recorded("recipe", work.recipe, (), {**options, "--set": list(work.overrides)})
