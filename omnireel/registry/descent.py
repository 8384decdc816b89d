"""Which stage of a card started from which.

``earlier`` is a list, oldest stage first, and the card's own stage comes after all of them. A stage
started from the one before it, unless its ``after`` says what it started from: the place in the
list, counted from 1, of each stage that had a part in it, by that part::

    start      its weights are what training began with
    teacher    a frozen teacher, where that is not the start
    first      of a mean of two models: the one whose configuration was kept
    second     the other one
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Stage = Mapping[str, Any]

START = "start"
STAGE = (
    "recipe", "rung", "command", "data", "steps", "samples", "seeds", "wall_time_s", "hardware",
    "after",
)  # fmt: skip
"""What a card says of an earlier stage."""


def earlier_stages(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the card of a component that is started from ``card``'s says under ``earlier``."""
    return [*card.get("earlier", ()), {key: card[key] for key in STAGE if key in card}]


def parents(stages: Sequence[Stage], number: int) -> dict[str, int]:
    """What stage ``number`` (from 1) started from: part -> number of a stage before it."""
    named = stages[number - 1].get("after")
    if named is not None:
        return {str(part): int(place) for part, place in named.items()}
    return {START: number - 1} if number > 1 else {}


def joined(lines: Mapping[str, Sequence[Stage]]) -> dict[str, Any]:
    """``earlier`` and ``after`` of what is made from the last stages of several lines: stages that
    the lines share are told once."""
    stages: list[dict[str, Any]] = []
    ends: dict[str, int] = {}
    for part, line in lines.items():
        places: list[int] = []
        for number in range(1, len(line) + 1):
            moved = {p: places[n - 1] for p, n in parents(line, number).items()}
            places.append(_place(stages, line[number - 1], moved))
        ends[part] = places[-1]
    own = [] if set(ends.values()) == {len(stages)} and START in ends else [("after", ends)]
    return {"earlier": stages, **dict(own)}


def _place(stages: list[dict[str, Any]], stage: Stage, after: dict[str, int]) -> int:
    """Where ``stage`` is among ``stages``; it is added when it is not there."""
    facts = _facts(stage)
    for number, known in enumerate(stages, start=1):
        if _facts(known) == facts and parents(stages, number) == after:
            return number
    natural = {START: len(stages)} if stages else {}
    stages.append(facts if after == natural else {**facts, "after": after})
    return len(stages)


def _facts(stage: Stage) -> dict[str, Any]:
    return {key: value for key, value in stage.items() if key != "after"}
