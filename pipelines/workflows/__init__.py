"""The workflows by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from omnireel.errors import InvalidInput, NotFound
from pipelines.workflows.curate import Curate, curate
from pipelines.workflows.place import Place
from pipelines.workflows.preference_round import PreferenceRound, check_tuning, preference_round
from pipelines.workflows.release import Release, release
from pipelines.workflows.train_ladder import TrainLadder, check_climb, train_ladder

Check = Callable[[Any, Mapping[str, object], Callable[[str], None]], None]
"""``check(config, arguments, say)`` raises what a step would raise after hours of others."""


def _no_check(config: Any, arguments: Mapping[str, object], say: Callable[[str], None]) -> None:
    """Nothing can be said of the arguments before the steps run."""


@dataclass(frozen=True)
class Workflow:
    """How a workflow is built: ``build(config, place)`` gives the ``kfp.dsl`` pipeline."""

    build: Callable[[Any, Place], Any]
    config: Any
    """The settings as they are by default; they decide which steps there are."""
    summary: str
    check: Check = _no_check

    def pipeline(self, place: Place, settings: Sequence[str] = ()) -> Any:
        """The pipeline with ``field=value`` settings."""
        return self.build(configured(self.config, settings), place)

    def check_arguments(
        self,
        settings: Sequence[str],
        arguments: Mapping[str, object],
        say: Callable[[str], None],
    ) -> None:
        """Refuse arguments that a later step would refuse; ``say`` hears of doubts."""
        self.check(configured(self.config, settings), arguments, say)


WORKFLOWS: Mapping[str, Workflow] = {
    "curate": Workflow(
        curate, Curate(), "raw media to shards: parts measured side by side, one ledger"
    ),
    "train_ladder": Workflow(
        train_ladder,
        TrainLadder(),
        "train a whole model, every rung a step, gates between them",
        check_climb,
    ),
    "preference_round": Workflow(
        preference_round,
        PreferenceRound(),
        "sample, let oracles or people judge, tune, compare",
        check_tuning,
    ),
    "release": Workflow(
        release, Release(), "judge against the champion, canary, promote or take back"
    ),
}


def workflow(name: str) -> Workflow:
    """The workflow of that name.

    Raises:
        NotFound: there is none.

    """
    if name not in WORKFLOWS:
        near = get_close_matches(name.replace("-", "_"), WORKFLOWS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(WORKFLOWS)}"
        raise NotFound(f"there is no workflow {name!r}; {hint}")
    return WORKFLOWS[name]


def configured(config: Any, settings: Sequence[str]) -> Any:
    """``config`` with ``field=value`` settings, each read as its field's present type.

    Raises:
        InvalidInput: no such field, or a value that is none of its.

    """
    known = {f.name: getattr(config, f.name) for f in fields(config)}
    changes: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or name not in known:
            shown = ", ".join(f"{key}={value}" for key, value in known.items())
            raise InvalidInput(f"unknown field {setting!r}; valid: {shown}", field="set")
        changes[name] = _read(name, text, known[name])
    return replace(config, **changes)


def _read(name: str, text: str, present: Any) -> Any:
    if isinstance(present, bool):
        if text not in ("true", "false"):
            raise InvalidInput(f"{name} must be true or false, not {text!r}", field=name)
        return text == "true"
    kind = "a whole number" if isinstance(present, int) else "a number"
    try:
        value = type(present)(text)
    except ValueError:
        raise InvalidInput(f"{name} must be {kind}, not {text!r}", field=name) from None
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"{name} must be {kind}, not {text!r}", field=name)
    return value
