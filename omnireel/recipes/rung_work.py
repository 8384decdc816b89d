"""What a climb asks of its rungs: which are climbed, and of each which recipe with which fields.

The same is asked whether a ladder is climbed or one of its rungs is made again
(:mod:`omnireel.recipes.reproduce`).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from omnireel.errors import FailedPrecondition, InvalidInput, NotFound
from omnireel.recipes import build_recipe
from omnireel.recipes.config import flatten, override
from omnireel.recipes.ladder import Ladder, Rung
from omnireel.registry import verify


@dataclass(frozen=True)
class RungWork:
    """One run of one recipe."""

    recipe: str
    overrides: tuple[str, ...]
    init_from: Path | None


def rungs_to_climb(
    ladder: Ladder, first: str, last: str, settings: Sequence[str]
) -> tuple[tuple[Rung, ...], tuple[Rung, ...]]:
    """The rungs before ``first``, and those from it to ``last`` with their ``settings``
    (``rung.field=value``; ``*.field=value`` for every rung).

    Raises:
        NotFound: ``first`` or ``last`` is no rung.
        InvalidInput: a setting names no rung, or ``first`` comes after ``last``.

    """
    names = [rung.name for rung in ladder.rungs]
    for name in (first, last):
        if name and name not in names:
            raise NotFound(f"the {ladder.size} ladder has no rung {name!r}: {', '.join(names)}")
    of_rung: dict[str, list[str]] = {}
    for setting in settings:
        name, dot, assignment = setting.partition(".")
        if name == "*" and dot:
            for each in names:
                of_rung.setdefault(each, []).append(assignment)
            continue
        if name not in names or not dot:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"rungs are {', '.join(names)}"
            raise InvalidInput(
                f"--set takes rung.field=value, for example {names[0]}.trainer.max_minutes=30, or "
                f"*.field=value for every rung; there is no rung {name!r}, {hint}",
                field="set",
            )
        of_rung.setdefault(name, []).append(assignment)
    begin = names.index(first) if first else 0
    end = names.index(last) + 1 if last else len(names)
    if begin >= end:
        raise InvalidInput(f"{first} comes after {last}", field="first")
    climbed = ladder.rungs[begin:end]
    return ladder.rungs[:begin], tuple(r.with_settings(of_rung.get(r.name, ())) for r in climbed)


def rung_work(rung: Rung, stands_on: Mapping[str, Path], *, smoke: bool) -> RungWork:
    """The run of a rung.

    Args:
        rung: with its settings.
        stands_on: components that it is made from, by the name that a recipe's field has for them:
            "vae", "teacher", and "reference" for what it starts from.
        smoke: only try the joints.

    """
    recipe, overrides = rung.plan(smoke=smoke)
    named = {f.name for f in fields(build_recipe(recipe))}  # type: ignore[arg-type]
    told = (f"{role}={path}" for role, path in stands_on.items() if role in named)
    init_from = None if "reference" in named else stands_on.get("reference")
    return RungWork(recipe, (*overrides, *told), init_from)


def written_plan(work: RungWork, stands_on: Mapping[str, Path]) -> dict[str, Any]:
    """What decides a rung's result, as JSON; paths are left out, contents are in."""
    settings = flatten(override(build_recipe(work.recipe), work.overrides))
    for role in stands_on:
        settings.pop(role, None)
    return {
        "recipe": work.recipe,
        "settings": json.loads(json.dumps(settings)),
        "stands_on": {role: verify(path)["sha256"] for role, path in stands_on.items()},
    }


def check_plan(folder: Path, plan: Mapping[str, Any]) -> None:
    """Refuse a rung's folder that was made by another plan.

    Raises:
        FailedPrecondition: the fields that differ are named.

    """
    path = folder / "plan.json"
    if not path.is_file():
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    if before == plan:
        return
    old, new = before["settings"], plan["settings"]
    # A field that is newer than the plan had no say: at its default it changes nothing.
    defaults = json.loads(json.dumps(flatten(build_recipe(plan["recipe"]))))
    newer = {k for k in new.keys() - old.keys() if new[k] == defaults.get(k)}
    changed = sorted(k for k in (old.keys() | new.keys()) - newer if old.get(k) != new.get(k))
    if before["stands_on"] != plan["stands_on"]:
        changed.append("an earlier rung")
    if not changed and before["recipe"] == plan["recipe"]:
        return
    raise FailedPrecondition(
        f"{folder} was made with other settings ({', '.join(changed[:5]) or 'recipe'}); climb in "
        f"another folder, or delete {folder} and the rungs after it"
    )
