"""The oracles as a judge: over all, by family of metrics, and with other tie margins.

People answer one question, "which is better?". The oracles have an answer for each family of the
benchmark, so only their report has axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnireel.errors import InvalidInput
from omnireel.evaluate.arena.trials import Contest
from omnireel.evaluate.arena.votes import Votes
from omnireel.evaluate.bench.families import FAMILIES, Family
from omnireel.evaluate.bench.rows import families_in, score_in
from omnireel.evaluate.bench.run import read_manifest
from omnireel.evaluate.gsb import Verdict, verdict
from omnireel.evaluate.pages.answers import Choice
from omnireel.evaluate.scorer import scorer_in

ORACLE = "oracle"
_CHOICES: dict[Verdict, Choice] = {
    Verdict.GOOD: "first",
    Verdict.SAME: "tie",
    Verdict.BAD: "second",
}
_OTHER_MARGINS = (0.5, 2.0)
"""Times the tie margin: what hangs on it shows in these."""


@dataclass(frozen=True)
class OracleJudgement:
    """What the oracles say of a contest; scores no further apart than ``tie_margin`` are a tie."""

    tie_margin: float
    overall: Votes
    by_family: Mapping[Family, Votes]
    """Without the trials in which one side has no answer of that family."""
    by_margin: Mapping[float, Votes]
    """Over all, at half and at twice the margin; nothing for a margin of 0."""


def judge_by_oracle(contest: Contest, tie_margin: float) -> OracleJudgement:
    """Let the oracles judge the real trials by stored answers: a machine needs no repeats.

    Raises:
        InvalidInput: the runs were scored by different oracles, or the margin is negative.

    """
    check_scorers([folder for folders in contest.folders.values() for folder in folders])
    margins = [tie_margin * factor for factor in _OTHER_MARGINS] if tie_margin else []
    return OracleJudgement(
        tie_margin,
        _votes(contest, tie_margin, _overall),
        {family: _votes(contest, tie_margin, _family(family)) for family in FAMILIES},
        {margin: _votes(contest, margin, _overall) for margin in margins},
    )


def check_scorers(folders: Sequence[Path]) -> None:
    """Refuse scores that do not compare.

    Raises:
        InvalidInput: the runs were scored by different oracles.

    """
    first, *others = (scorer_in(read_manifest(folder)) for folder in folders)
    for folder, scorer in zip(folders[1:], others, strict=True):
        if scorer != first:
            raise InvalidInput(
                f"{folders[0]} and {folder} were scored by different oracles; run 'omnireel eval "
                "bench' again for the older one",
                field="runs",
            )


def _overall(record: Mapping[str, Any]) -> float | None:
    return score_in(record, "score")


def _family(family: Family) -> Callable[[Mapping[str, Any]], float | None]:
    return lambda record: families_in(record, "score").get(family)


def _votes(
    contest: Contest, tie_margin: float, value: Callable[[Mapping[str, Any]], float | None]
) -> Votes:
    choices: dict[int, Choice] = {}
    for number, trial in enumerate(contest.trials):
        if trial.kind != "real":
            continue
        left, right = (
            value(contest.records[name][trial.draw][trial.case])
            for name in (trial.left, trial.right)
        )
        if left is not None and right is not None:
            choices[number] = _CHOICES[verdict(left, right, tie_margin)]
    return Votes(ORACLE, choices)
