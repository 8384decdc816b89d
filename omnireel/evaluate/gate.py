"""The gate before promotion: a pure function from measured scores to a verdict.

A rule looks at the unfavourable end of an interval, never at the estimate alone, so a model that
was measured on too few cases does not pass by luck; and what was not measured does not pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from omnireel.errors import InvalidInput
from omnireel.evaluate.bootstrap import Interval
from omnireel.evaluate.gsb import Comparison
from omnireel.registry.verdict import GateVerdict, Reason


@dataclass(frozen=True)
class GateConfig:
    """The rules. Scores are named as in :class:`Measured`; higher is better for all."""

    required: Mapping[str, float] = field(default_factory=dict)
    """Score -> least value of its interval's lower bound."""
    no_worse: Mapping[str, float] = field(default_factory=dict)
    """Score -> tolerated loss: the lower bound of candidate minus champion is at least minus
    that."""
    gsb: float | None = None
    """Least lower bound of GSB against the champion (1 is "as good as"); None: no such rule."""
    min_count: int = 8
    """Least number of observations behind an interval: fewer make it narrow by accident."""

    def __post_init__(self) -> None:
        if not self.required and not self.no_worse and self.gsb is None:
            raise InvalidInput(
                "a gate without a rule passes everything; give at least one required score, "
                "tolerated loss or GSB",
                field="gate",
            )
        for name, value in (*self.required.items(), *self.no_worse.items(), ("gsb", self.gsb)):
            if value is not None and not math.isfinite(value):
                raise InvalidInput(f"the gate's value for {name} is not finite", field=name)
        for name, value in self.no_worse.items():
            if value < 0:
                raise InvalidInput(
                    f"tolerated loss {value} of {name} is negative; write 0 for 'no worse at all'",
                    field=f"no_worse.{name}",
                )
        if self.gsb is not None and self.gsb <= 0:
            raise InvalidInput(f"GSB {self.gsb} is not above 0", field="gsb")
        if self.min_count < 2:
            raise InvalidInput("an interval needs at least 2 observations", field="min_count")


@dataclass(frozen=True)
class Measured:
    """Scores of a candidate, and its comparison with the champion on the same cases."""

    candidate: str
    """Hash of its content or weights."""
    scores: Mapping[str, Interval]
    champion: str = ""
    """The same of the champion; "" when there is none yet."""
    differences: Mapping[str, Interval] = field(default_factory=dict)
    """Candidate minus champion, paired by case."""
    comparison: Comparison | None = None


def decide(measured: Measured, config: GateConfig, opponent: str = "champion") -> GateVerdict:
    """Apply every rule; the verdict has one line for each, with its numbers.

    Without a champion the rules that compare hold by themselves (the line says so), but then at
    least one score must be required. ``opponent`` is what the lines call it, where a candidate is
    compared with something else than the champion.
    """
    reasons = [
        _at_least(f"{name}", measured.scores.get(name), least, config)
        for name, least in config.required.items()
    ]
    if measured.champion:
        reasons += [
            _at_least(
                f"{name} minus the {opponent}'s", measured.differences.get(name), -loss, config
            )
            for name, loss in config.no_worse.items()
        ]
        if config.gsb is not None:
            name = "GSB" if opponent == "champion" else f"GSB against the {opponent}"
            reasons.append(_gsb_at_least(name, measured.comparison, config.gsb, config))
    else:
        compared = [*config.no_worse, *(["GSB"] if config.gsb is not None else [])]
        reasons += [Reason(True, f"{name}: no champion to compare with") for name in compared]
        if not config.required:
            reasons.append(
                Reason(False, "no champion to compare with and no required score: nothing is known")
            )
    return GateVerdict(measured.candidate, measured.champion, tuple(reasons))


def _gsb_at_least(name: str, found: Comparison | None, least: float, config: GateConfig) -> Reason:
    if found is None:
        return Reason(False, f"{name} was not measured")
    counts = f" from {found.good} good, {found.same} same, {found.bad} bad"
    reason = _at_least(name, found.gsb, least, config)
    return Reason(reason.passed, reason.line + counts)


def _at_least(name: str, found: Interval | None, least: float, config: GateConfig) -> Reason:
    if found is None:
        return Reason(False, f"{name} was not measured (at least {least:.4g} is needed)")
    shown = f"{name} is {found.shown('.4g')}"
    if found.count < config.min_count:
        return Reason(
            False, f"{shown} from {found.count} observations; {config.min_count} are needed"
        )
    passed = found.low >= least  # False for a bound that is not a number
    relation = "is at least" if passed else "is not at least"
    return Reason(passed, f"{shown}: the lower bound {relation} {least:.4g}")
