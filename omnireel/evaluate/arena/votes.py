"""Who said what about which trial, and whether they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from omnireel.errors import InvalidInput
from omnireel.evaluate.arena.statistics import Outcome
from omnireel.evaluate.arena.trials import EXACT, Contest, Trial
from omnireel.evaluate.gsb import Verdict
from omnireel.evaluate.pages.answers import Choice, read_page_answers

_SWAPPED: dict[Choice, Choice] = {"first": "second", "second": "first", "tie": "tie"}


@dataclass(frozen=True)
class Votes:
    """One judge's choices by trial number; "first" is the left side."""

    judge: str
    choices: Mapping[int, Choice]


@dataclass(frozen=True)
class Judge:
    """What the checks say about a judge; shares are None without such trials."""

    name: str
    answered: int
    gold: float | None
    """Share of gold trials in which the exact answer was preferred."""
    steady: float | None
    """Share of repeated trials with the same answer after the sides were swapped."""
    left: float | None
    """Share of left among the real trials without a tie: 0.5 for who has no favourite side."""
    kept: bool
    """Whether the votes count; those of a judge without gold trials do, unchecked."""


def read_votes(contest: Contest, paths: Sequence[Path]) -> list[Votes]:
    """The answers of people.

    Raises:
        NotFound: a file is missing.
        InvalidInput: it is about other trials, or a judge has two files.

    """
    found = [read_page_answers(path, contest.sha256, len(contest.trials)) for path in paths]
    names = [answers.judge for answers in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidInput(f"{twice[0]} answers twice; give one file for each judge", field="judge")
    return [Votes(answers.judge, answers.choices) for answers in found]


def check_judge(trials: Sequence[Trial], votes: Votes, least_gold: float) -> Judge:
    """Hold a judge against gold and repeated trials; with less gold right no vote counts."""
    given = {n: (trials[n], choice) for n, choice in votes.choices.items()}
    gold = [
        choice == ("first" if trial.left == EXACT else "second")
        for trial, choice in given.values()
        if trial.kind == "gold"
    ]
    real = {
        (trial.case, trial.draw, trial.left, trial.right): choice
        for trial, choice in given.values()
        if trial.kind == "real"
    }
    steady = [
        real[key] == _SWAPPED[choice]
        for trial, choice in given.values()
        if trial.kind == "repeat"
        and (key := (trial.case, trial.draw, trial.right, trial.left)) in real
    ]
    sides = [choice == "first" for choice in real.values() if choice != "tie"]
    right = _share(gold)
    kept = right is None or right >= least_gold
    return Judge(votes.judge, len(given), right, _share(steady), _share(sides), kept)


def _share(answers: Sequence[bool]) -> float | None:
    return sum(answers) / len(answers) if answers else None


def outcomes_of(names: Sequence[str], trials: Sequence[Trial], votes: Votes) -> list[Outcome]:
    """The real trials, each told with its systems in the order of ``names``."""
    out = []
    for number, choice in sorted(votes.choices.items()):
        trial = trials[number]
        if trial.kind != "real":
            continue
        first, second = sorted((trial.left, trial.right), key=names.index)
        seen = choice if trial.left == first else _SWAPPED[choice]
        told = {"first": Verdict.GOOD, "tie": Verdict.SAME, "second": Verdict.BAD}[seen]
        out.append(Outcome(first, second, trial.case, told, votes.judge, trial.draw))
    return out
