"""Bars that the parts of a ladder must pass to be promoted, as data.

Every bar is on the unfavourable end of a 95 % interval. A part is held against fixed values,
against the champion of its name when there is one, and, when it is a student, against its teacher.
The tolerated losses allow for the width of the interval at these counts. Of generators, the bar of
GSB is 0.85 and the aim 0.95: at eight cases for each of 25 capabilities, of which a fifth is
decided, two equal generators nearly always stay above 0.85, and above 0.95 only one time in three.
That the aim is reached takes more cases (``omnireel eval arena``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from omnireel.errors import InvalidInput
from omnireel.evaluate.gate import GateConfig
from omnireel.recipes.ladder import Part
from omnireel.recipes.part_scores import PartCases


@dataclass(frozen=True)
class PartGate:
    """When the last rung of a part becomes champion."""

    part: Part
    rules: GateConfig
    """Fixed bars, and bars against the champion."""
    teacher: GateConfig | None = None
    """Bars of a student against its teacher; parts without a teacher pass them by."""
    cases: PartCases = field(default_factory=PartCases)
    smoke_cases: PartCases = field(default_factory=partial(PartCases, 8, ("C20",)))
    """Cases of a smoke climb: as few as a good part passes the bars with."""


def tiny_gates() -> tuple[PartGate, ...]:
    """What the tiny model must be able to do before it replaces another one."""
    return (
        PartGate(
            "generator",
            GateConfig(required={"mean": 0.6}, no_worse={"mean": 0.05}, gsb=0.85),
            teacher=GateConfig(no_worse={"mean": 0.05}, gsb=0.85),
        ),
        PartGate(
            "upscaler",
            # An untrained one changes nothing and gains nothing: 0 would let it pass by luck.
            GateConfig(required={"upscale/gain": 0.1}, no_worse={"upscale/gain": 0.1}),
            teacher=GateConfig(no_worse={"upscale/gain": 0.5}),
            cases=PartCases(count=32),
        ),
        PartGate(
            "enhancer",
            GateConfig(
                required={"enhance/used": 0.5, "enhance/prompts_intact": 0.5},
                no_worse={"enhance/used": 0.1},
            ),
            cases=PartCases(count=64),
            # Half a minute of one core. The shipped one rewrites 18 of these, but five of the
            # first eight, whose lower bound is below the bar.
            smoke_cases=PartCases(count=24),
        ),
    )


GATES = {"tiny": tiny_gates}


def build_gates(size: str, *, smoke: bool = False) -> tuple[PartGate, ...]:
    """The gates of a ladder; a smoke climb has the same bars and as few cases as they allow.

    Raises:
        InvalidInput: there is no ladder of that size.

    """
    if size not in GATES:
        raise InvalidInput(
            f"there are no gates of size {size!r}; use {', '.join(GATES)}", field="size"
        )
    gates = GATES[size]()
    if not smoke:
        return gates
    return tuple(replace(gate, cases=gate.smoke_cases) for gate in gates)
