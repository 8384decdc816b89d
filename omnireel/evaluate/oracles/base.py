"""What an oracle is: a name, what its numbers mean, and one function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from omnireel.evaluate.judgement import Judgement


@dataclass(frozen=True)
class Oracle:
    """``score`` returns None where the question does not arise (no source, no subject asked).

    Higher is better for every oracle. ``unit`` is "" for shares and similarities in 0..1, "dB"
    for peak signal-to-noise ratios.
    """

    name: str
    meaning: str
    score: Callable[[Judgement], float | None]
    unit: str = ""


def share(answers: list[bool]) -> float | None:
    """Share of yes; None for no answers."""
    return sum(answers) / len(answers) if answers else None
