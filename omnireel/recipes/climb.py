"""Climb a training ladder: run what is not done, resume what was interrupted, keep the rest.

``out/<rung>/run`` is the training run, ``out/<rung>/component`` what it left, and
``out/<rung>/plan.json`` what it was asked to do: its recipe with all fields and the hashes of the
components that it stands on. A rung is done when its component is whole and its plan is still the
same; so a climb that was killed anywhere goes on at its last checkpoint, and a changed recipe or a
changed earlier rung is noticed instead of being mixed in. ``out/model`` holds the newest parts.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from omnireel.errors import FailedPrecondition, NotFound
from omnireel.recipes import build_recipe
from omnireel.recipes.base import Report
from omnireel.recipes.config import flatten, override
from omnireel.recipes.export import export_run
from omnireel.recipes.ladder import Ladder, Part, Rung
from omnireel.recipes.run import RunRequest, run_recipe
from omnireel.registry import atomic_folder, verify, write_text_atomic
from omnireel.train import Callback
from omnireel.train.checkpoint import latest_checkpoint


@dataclass(frozen=True)
class ClimbConfig:
    """Where to climb. ``smoke`` tries every joint with the debug recipes in minutes."""

    out: Path
    cache: Path
    smoke: bool = False
    last: str = ""
    """Stop after this rung; empty: climb to the top."""


@dataclass(frozen=True, eq=False)
class RungResult:
    """A finished rung. ``parts`` are the components of the model as it is after it."""

    rung: Rung
    component: Path
    parts: Mapping[Part, Path]
    was_done: bool
    stands_on: Mapping[str, Path] = field(default_factory=dict)
    """Components that it was trained from or with, by what they were to it."""


CallbacksOf = Callable[[Path], tuple[Callback, ...]]
"""Callbacks of the run in a folder."""


def climb(
    ladder: Ladder,
    config: ClimbConfig,
    callbacks_of: CallbacksOf,
    report: Report,
    on_rung: Callable[[RungResult], None] = lambda result: None,
    *,
    command: str = "",
) -> list[RungResult]:
    """Climb ``ladder``; ``on_rung`` hears of every rung, done now or before, in order.

    Raises:
        InvalidInput: ``config.last`` is no rung.
        FailedPrecondition: a rung was made with other settings, or its run was stopped early.

    """
    names = [rung.name for rung in ladder.rungs]
    if config.last and config.last not in names:
        raise NotFound(f"the {ladder.size} ladder has no rung {config.last!r}: {', '.join(names)}")
    parts: dict[Part, Path] = {}
    components: dict[str, Path] = {}
    results = []
    for rung in ladder.rungs:
        result = _rung(rung, config, dict(parts), components, callbacks_of, report, command)
        parts[rung.part] = components[rung.name] = result.component
        results.append(result)
        on_rung(result)
        if rung.name == config.last:
            break
    _assemble(parts, config.out / "model")
    return results


def _rung(
    rung: Rung,
    config: ClimbConfig,
    parts: dict[Part, Path],
    components: Mapping[str, Path],
    callbacks_of: CallbacksOf,
    report: Report,
    command: str,
) -> RungResult:
    folder = config.out / rung.name
    component = folder / "component"
    name, overrides = rung.plan(smoke=config.smoke)
    stands_on = _foundations(rung, parts, components)
    named = {f.name for f in fields(build_recipe(name))}  # type: ignore[arg-type]
    overrides = (
        *overrides,
        *(f"{role}={path}" for role, path in stands_on.items() if role in named),
    )
    start = None if "reference" in named else components.get(rung.start)
    plan = _plan(name, overrides, stands_on)
    _check_plan(folder, plan)
    done = component.exists()
    if done:
        verify(component)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write_text_atomic(folder / "plan.json", json.dumps(plan, indent=1) + "\n")
        run = folder / "run"
        request = RunRequest(
            recipe=name,
            out=run,
            cache=config.cache,
            resume=latest_checkpoint(run) is not None,
            init_from=start,
            overrides=overrides,
            command=command,
        )
        if run_recipe(request, callbacks_of(run), report).stopped_early:
            raise FailedPrecondition(
                f"{rung.name} was stopped; the same command goes on from its checkpoint"
            )
        export_run(run, component, cache=config.cache, report=report)
    parts[rung.part] = component
    return RungResult(rung, component, parts, done, stands_on)


def _foundations(
    rung: Rung, parts: Mapping[Part, Path], components: Mapping[str, Path]
) -> dict[str, Path]:
    """Components that a rung is made from, by the name that a recipe's field has for them."""
    found: dict[str, Path] = {}
    if "vae" in parts and rung.part != "vae":
        found["vae"] = parts["vae"]
    if rung.start:
        found["reference"] = components[rung.start]
    if rung.teacher:
        found["teacher"] = components[rung.teacher]
    return found


def _plan(recipe: str, overrides: tuple[str, ...], stands_on: Mapping[str, Path]) -> dict[str, Any]:
    """What decides a rung's result, as JSON; paths are left out, contents are in."""
    settings = flatten(override(build_recipe(recipe), overrides))
    for role in stands_on:
        settings.pop(role, None)
    return {
        "recipe": recipe,
        "settings": json.loads(json.dumps(settings)),
        "stands_on": {role: verify(path)["sha256"] for role, path in stands_on.items()},
    }


def _check_plan(folder: Path, plan: Mapping[str, Any]) -> None:
    path = folder / "plan.json"
    if not path.is_file():
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    if before == plan:
        return
    old, new = before["settings"], plan["settings"]
    changed = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
    if before["stands_on"] != plan["stands_on"]:
        changed.append("an earlier rung")
    raise FailedPrecondition(
        f"{folder} was made with other settings ({', '.join(changed[:5]) or 'recipe'}); climb in "
        f"another folder, or delete {folder} and the rungs after it"
    )


def _assemble(parts: Mapping[Part, Path], model: Path) -> None:
    """The newest parts side by side, as the services load them."""
    with atomic_folder(model) as work:
        for part, component in parts.items():
            shutil.copytree(component, work / part)
