"""What an arena found: pairs, strengths, judges, and what it could have seen.

People and the oracles are told apart: their votes are never added up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import combinations
from typing import Any

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.evaluate.arena.oracle import OracleJudgement
from omnireel.evaluate.arena.statistics import (
    SIGN,
    Outcome,
    davidson,
    detectable_difference,
    krippendorff_alpha,
)
from omnireel.evaluate.arena.trials import Trial
from omnireel.evaluate.arena.votes import Votes, check_judge, outcomes_of
from omnireel.evaluate.bootstrap import Interval
from omnireel.evaluate.gsb import compare

FORMAT_VERSION = 2
Ratings = Mapping[tuple[str, str, str, int], float]
"""Good 1, same 0, bad -1, by systems, prompt and draw."""


def arena_report(
    names: Sequence[str],
    trials: Sequence[Trial],
    votes: Sequence[Votes],
    oracle: OracleJudgement | None = None,
    *,
    least_gold: float,
) -> dict[str, Any]:
    """All statistics as JSON data; intervals are prompt-clustered bootstrap ones.

    ``people`` and ``oracle`` each have ``pairs``, ``strengths`` and so on, and are null where
    nobody of them judged. ``people_and_oracle`` is Krippendorff's alpha between the people's mean
    answer and the oracle. Both bounds of an interval are null where they are unknown: there was one
    prompt, or all verdicts were alike.

    Args:
        names: the systems, in the order in which pairs are told.
        trials: of the contest.
        votes: of people.
        oracle: what the oracles say, if they were asked.
        least_gold: share of gold trials that a person must have right to count.

    Raises:
        InvalidInput: nobody whose votes count answered a real trial.

    """
    judges = [check_judge(trials, given, least_gold) for given in votes]
    kept = [given for given, judge in zip(votes, judges, strict=True) if judge.kept]
    by_person = [found for given in kept if (found := outcomes_of(names, trials, given))]
    if not by_person and oracle is None:
        raise InvalidInput(
            "no votes count: nobody answered, or everybody failed the gold trials", field="answers"
        )
    ratings = [_ratings(outcomes) for outcomes in by_person]
    people: dict[str, Any] | None = None
    if by_person:
        people = _findings(names, [o for outcomes in by_person for o in outcomes])
        people["alpha"] = krippendorff_alpha(ratings)
    report: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "models": list(names),
        "judges": [asdict(judge) for judge in judges],
        "people": people,
        "oracle": None,
        "people_and_oracle": None,
    }
    if oracle is not None:
        crowd = _mean(ratings)
        overall = outcomes_of(names, trials, oracle.overall)
        report["oracle"] = _by_oracle(names, trials, oracle, crowd)
        report["people_and_oracle"] = krippendorff_alpha([crowd, _ratings(overall)])
    return report


def _by_oracle(
    names: Sequence[str], trials: Sequence[Trial], oracle: OracleJudgement, crowd: Ratings
) -> dict[str, Any]:
    """Over all, with other margins, and along each axis; ``alpha`` of an axis is the agreement of
    the people's mean answer with it (null without people)."""
    axes = {}
    for family, votes in oracle.by_family.items():
        if outcomes := outcomes_of(names, trials, votes):
            axes[family] = {
                "prompts": len({o.prompt for o in outcomes}),
                "pairs": _pairs(names, outcomes),
                "alpha": krippendorff_alpha([crowd, _ratings(outcomes)]),
            }
    return {
        "tie_margin": oracle.tie_margin,
        **_findings(names, outcomes_of(names, trials, oracle.overall)),
        "other_margins": [
            {"tie_margin": margin, "pairs": _pairs(names, outcomes_of(names, trials, votes))}
            for margin, votes in oracle.by_margin.items()
        ],
        "axes": axes,
    }


def _findings(names: Sequence[str], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    strengths = davidson(outcomes)
    return {
        "prompts": len({o.prompt for o in outcomes}),
        "pairs": _pairs(names, outcomes),
        "strengths": {name: _plain(i) for name, i in strengths.by_model.items()},
        "tie": strengths.tie,
    }


def _pairs(names: Sequence[str], outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
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
    return pairs


def _ratings(outcomes: Sequence[Outcome]) -> Ratings:
    return {(o.first, o.second, o.prompt, o.draw): SIGN[o.verdict] for o in outcomes}


def _mean(ratings: Sequence[Ratings]) -> Ratings:
    """The mean answer to each question over those who answered it."""
    found: dict[tuple[str, str, str, int], list[float]] = {}
    for judge in ratings:
        for item, value in judge.items():
            found.setdefault(item, []).append(value)
    return {item: float(np.mean(values)) for item, values in found.items()}


def _plain(interval: Interval) -> dict[str, float | None]:
    """As JSON; an infinite GSB becomes null, and so do unknown bounds."""
    return {k: v if abs(v) < float("inf") else None for k, v in asdict(interval).items()}
