"""Bars that the parts of a ladder must pass to be promoted, as data.

Every bar is on the unfavourable end of a 95 % interval. A part is held against fixed values,
against the champion of its name when there is one, and, when it is a student, against its teacher.
The tolerated losses allow for the width of the interval at these counts: with eight cases for each
of fourteen capabilities, two equal generators stay above a GSB of 0.85.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

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
    return tuple(
        replace(gate, cases=PartCases(gate.rules.min_count, capabilities=("C20",)))
        for gate in gates
    )
