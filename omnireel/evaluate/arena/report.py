"""What an arena found: pairs, strengths, judges, and what it could have seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import combinations
from typing import Any

from omnireel.errors import InvalidInput
from omnireel.evaluate.arena.statistics import (
    SIGN,
    davidson,
    detectable_difference,
    krippendorff_alpha,
)
from omnireel.evaluate.arena.trials import Trial
from omnireel.evaluate.arena.votes import Votes, check_judge, outcomes_of
from omnireel.evaluate.bootstrap import Interval
from omnireel.evaluate.gsb import compare


def arena_report(
    names: Sequence[str], trials: Sequence[Trial], votes: Sequence[Votes], *, least_gold: float
) -> dict[str, Any]:
    """All statistics as JSON data; intervals are prompt-clustered bootstrap ones.

    Both bounds are null where they are unknown: there was one prompt, or all verdicts were alike.

    Raises:
        InvalidInput: nobody whose votes count answered a real trial.

    """
    judges = [check_judge(trials, given, least_gold) for given in votes]
    kept = [given for given, judge in zip(votes, judges, strict=True) if judge.kept]
    outcomes = [o for given in kept for o in outcomes_of(names, trials, given)]
    if not outcomes:
        raise InvalidInput(
            "no votes count: nobody answered, or everybody failed the gold trials", field="answers"
        )
    strengths = davidson(outcomes)
    ratings = [
        {
            (o.first, o.second, o.prompt, o.draw): SIGN[o.verdict]
            for o in outcomes
            if o.judge == given.judge
        }
        for given in kept
    ]
    pairs = []
    for first, second in combinations(names, 2):
        found = [o for o in outcomes if (o.first, o.second) == (first, second)]
        if not found:
            continue
        compared = compare([o.verdict for o in found], [o.prompt for o in found])
        gsb = compared.gsb
        if len(found) in (compared.good, compared.same, compared.bad):
            gsb = replace(gsb, low=math.nan, high=math.nan)
        several = len({o.prompt for o in found}) > 1
        pairs.append(
            {
                "first": first, "second": second,
                "good": compared.good, "same": compared.same, "bad": compared.bad,
                "gsb": _plain(gsb),
                "difference": (compared.good - compared.bad) / len(found),
                "detectable": detectable_difference(found) if several else None,
            }
        )  # fmt: skip
    return {
        "format_version": 1,
        "models": list(names),
        "prompts": len({o.prompt for o in outcomes}),
        "pairs": pairs,
        "strengths": {name: _plain(i) for name, i in strengths.by_model.items()},
        "tie": strengths.tie,
        "alpha": krippendorff_alpha(ratings),
        "judges": [asdict(judge) for judge in judges],
    }


def _plain(interval: Interval) -> dict[str, float | None]:
    """As JSON; an infinite GSB becomes null, and so do unknown bounds."""
    return {k: v if abs(v) < float("inf") else None for k, v in asdict(interval).items()}


def arena_text(report: dict[str, Any]) -> str:
    """A few lines for a terminal."""
    lines = []
    for pair in report["pairs"]:
        detectable = pair["detectable"]
        seen = "" if detectable is None else f"; detectable from ±{detectable:.2f} on"
        lines.append(
            f"{pair['first']} against {pair['second']}: good {pair['good']}, same {pair['same']}, "
            f"bad {pair['bad']}, GSB {_interval(pair['gsb'])}, (G-B)/n {pair['difference']:+.2f}"
            + seen
        )
    ranked = sorted(report["strengths"].items(), key=lambda item: -item[1]["estimate"])
    lines += [f"strength {name}: {_interval(found)}" for name, found in ranked]
    if report["alpha"] is not None:
        lines.append(f"agreement of the judges (Krippendorff's alpha): {report['alpha']:.2f}")
    for judge in report["judges"]:
        shares = [f"{label} {judge[key]:.0%}" for key, label in
                  (("gold", "gold right"), ("steady", "same when repeated"), ("left", "left"))
                  if judge[key] is not None]  # fmt: skip
        out = "" if judge["kept"] else "; left out"
        lines.append(f"{judge['name']}: {judge['answered']} answers"
                     + "".join(f", {s}" for s in shares) + out)  # fmt: skip
    return "\n".join(lines)


def _interval(found: dict[str, float | None]) -> str:
    estimate, low, high = ("inf" if v is None else f"{v:.2f}" for v in (found[k] for k in
                           ("estimate", "low", "high")))  # fmt: skip
    # Of known bounds only the upper one may be infinite.
    bounds = "bounds unknown" if found["low"] is None else f"{low}..{high}"
    return f"{estimate} [{bounds}]"
