"""Climb a training ladder: run what is not done, resume what was interrupted, keep the rest.

``out/<rung>/run`` is the training run, ``out/<rung>/component`` what it left, and
``out/<rung>/plan.json`` what it was asked to do: its recipe with all fields and the hashes of the
components that it stands on. A rung is done when its component is whole and its plan is still the
same; so a climb that was killed anywhere goes on at its last checkpoint, and a changed recipe or a
changed earlier rung is noticed instead of being mixed in. ``out/model`` holds the newest parts.

A climb can also begin in the middle, from the parts of a model that is there: they are copied to
``out/given-<part>/component``, and the first rung of each part goes on from its part.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from omnireel.errors import FailedPrecondition, InvalidInput, NotFound
from omnireel.recipes.base import Report
from omnireel.recipes.export import export_run
from omnireel.recipes.ladder import Ladder, Part, Rung
from omnireel.recipes.run import RunRequest, run_recipe
from omnireel.recipes.rung_work import (
    RungWork,
    check_plan,
    rung_work,
    rungs_to_climb,
    written_plan,
)
from omnireel.registry import atomic_folder, verify, write_text_atomic
from omnireel.train import Callback
from omnireel.train.checkpoint import latest_checkpoint


@dataclass(frozen=True)
class ClimbConfig:
    """Where to climb. ``smoke`` tries every joint with the debug recipes in minutes."""

    out: Path
    cache: Path
    smoke: bool = False
    first: str = ""
    """Begin with this rung; ``start`` has what the ones before would have made."""
    last: str = ""
    """Stop after this rung; empty: climb to the top."""
    start: Path | None = None
    """Model folder (``vae``, ``generator``, ...) to go on from; None: from random weights."""
    settings: tuple[str, ...] = ()
    """``rung.field=value``: recipe fields of single rungs; ``*.field=value``: of every rung."""

    def __post_init__(self) -> None:
        if self.first and self.start is None:
            raise InvalidInput(
                f"starting with {self.first} needs the parts that earlier rungs make; give a model "
                "folder with --start",
                field="start",
            )


@dataclass(frozen=True, eq=False)
class RungResult:
    """A finished rung. ``parts`` are the components of the model as it is after it."""

    rung: Rung
    component: Path
    parts: Mapping[Part, Path]
    was_done: bool
    stands_on: Mapping[str, Path] = field(default_factory=dict)
    """Components that it was trained from or with, by what they were to it."""
    kept: bool = True
    """Later rungs go on from it; False: it was set aside."""


OnRung = Callable[[RungResult], bool]
"""Hears of a rung that is there; says whether later rungs go on from it."""
CallbacksOf = Callable[[Path], tuple[Callback, ...]]
"""Callbacks of the run in a folder."""
RunRung = Callable[[RunRequest], bool]
"""Runs a recipe to its end, here or elsewhere; False: it was stopped before."""


def given_name(part: Part) -> str:
    """Folder, within a climb's, of a part that the climb went on from."""
    return f"given-{part}"


def climb(
    ladder: Ladder,
    config: ClimbConfig,
    callbacks_of: CallbacksOf,
    report: Report,
    on_rung: OnRung = lambda result: True,
    *,
    command: str = "",
    run: RunRung | None = None,
) -> list[RungResult]:
    """Climb ``ladder``; ``on_rung`` hears of every rung, done now or before, in order.

    A rung that it does not accept is set aside: what would have gone on from it goes on from what
    the rung itself started from. ``run`` trains a rung; by default this process does.

    Raises:
        NotFound: ``first`` or ``last`` is no rung, or ``start`` lacks a part.
        InvalidInput: a setting names no rung.
        FailedPrecondition: a rung was made with other settings, or its run was stopped early.

    """
    skipped, rungs = rungs_to_climb(ladder, config.first, config.last, config.settings)
    way = _Way(config, run or _here(callbacks_of, report), report, command)
    results: list[RungResult] = []
    for part in _given_parts(ladder, skipped, config):
        results.append(way.take(part))
        on_rung(results[-1])
    way.components |= {rung.name: way.given[rung.part] for rung in skipped}
    for rung in rungs:
        result = way.climb(rung)
        results.append(result if on_rung(result) else way.set_aside(result))
    _assemble(way.parts, config.out / "model")
    return results


def _here(callbacks_of: CallbacksOf, report: Report) -> RunRung:
    def run(request: RunRequest) -> bool:
        return not run_recipe(request, callbacks_of(request.out), report).stopped_early

    return run


def _given_parts(ladder: Ladder, skipped: Sequence[Rung], config: ClimbConfig) -> tuple[Part, ...]:
    """Parts that the model to go on from has; those that skipped rungs make must be among them."""
    if config.start is None:
        return ()
    needed = {rung.part for rung in skipped}
    for part in needed:
        if not (config.start / part).is_dir():
            raise NotFound(f"{config.start} has no {part}, which earlier rungs would have made")
    return tuple(
        part
        for part in dict.fromkeys(rung.part for rung in ladder.rungs)
        if (config.start / part).is_dir()
    )


class _Way:
    """The climb so far: newest part of every kind, component of every rung."""

    def __init__(self, config: ClimbConfig, run: RunRung, report: Report, command: str) -> None:
        self._config, self._run = config, run
        self._report, self._command = report, command
        self.parts: dict[Part, Path] = {}
        self.components: dict[str, Path] = {}
        self.given: dict[Part, Path] = {}
        """Parts that no rung went on from yet."""

    def take(self, part: Part) -> RungResult:
        """A part of the model to go on from, as the result of a rung; a copy, so that it stays."""
        assert self._config.start is not None
        folder, source = self._config.out / given_name(part), self._config.start / part
        component = folder / "component"
        done = component.exists()
        if not done:
            verify(source)
            with atomic_folder(component) as work:
                shutil.copytree(source, work, dirs_exist_ok=True)
        elif verify(component)["sha256"] != verify(source)["sha256"]:
            raise FailedPrecondition(
                f"this climb began with another {part} than {source}; climb in another folder"
            )
        self.parts[part] = self.given[part] = component
        rung = Rung(folder.name, "what this climb goes on from", part, recipe="", smoke_recipe="")
        return RungResult(rung, component, dict(self.parts), done)

    def climb(self, rung: Rung) -> RungResult:
        """Make sure that a rung's component is there."""
        folder = self._config.out / rung.name
        component = folder / "component"
        start = self.given.pop(rung.part, None) or self.components.get(rung.start)
        stands_on = self._foundations(rung, start)
        work = rung_work(rung, stands_on, smoke=self._config.smoke)
        plan = written_plan(work, stands_on)
        check_plan(folder, plan)
        done = component.exists()
        if done:
            verify(component)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            write_text_atomic(folder / "plan.json", json.dumps(plan, indent=1) + "\n")
            self._train(rung, work)
        self.parts[rung.part] = self.components[rung.name] = component
        return RungResult(rung, component, dict(self.parts), done, stands_on)

    def set_aside(self, result: RungResult) -> RungResult:
        """Let later rungs start from what a rung started from."""
        rung, start = result.rung, result.stands_on["reference"]
        self.parts[rung.part] = self.components[rung.name] = start
        return replace(result, parts=dict(self.parts), kept=False)

    def _train(self, rung: Rung, work: RungWork) -> None:
        run = self._config.out / rung.name / "run"
        request = RunRequest(
            recipe=work.recipe,
            out=run,
            cache=self._config.cache,
            resume=latest_checkpoint(run) is not None,
            init_from=work.init_from,
            overrides=work.overrides,
            command=self._command,
            rung=rung.name,
        )
        if not self._run(request):
            raise FailedPrecondition(
                f"{rung.name} was stopped; run the same command again to resume from its checkpoint"
            )
        export_run(run, run.parent / "component", cache=self._config.cache, report=self._report)

    def _foundations(self, rung: Rung, start: Path | None) -> dict[str, Path]:
        """Components that a rung is made from, by the name that a recipe's field has for them."""
        found: dict[str, Path] = {}
        if "vae" in self.parts and rung.part != "vae":
            found["vae"] = self.parts["vae"]
        if start is not None:
            found["reference"] = start
        if rung.teacher:
            found["teacher"] = self.components[rung.teacher]
        return found


def _assemble(parts: Mapping[Part, Path], model: Path) -> None:
    """The newest parts side by side, as the services load them."""
    with atomic_folder(model) as work:
        for part, component in parts.items():
            shutil.copytree(component, work / part)
