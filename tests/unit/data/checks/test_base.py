"""A check's answer becomes a verdict, whatever the check does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from omnireel.data.candidate import Candidate, FileFacts, SampledFrames
from omnireel.data.checks import ALL, Bounds, Check, Measurement, Outcome, Tier, judge
from omnireel.data.pictures import Drawn
from omnireel.types import MediaKind


class Fixed(Check):
    name, tier, version = "fixed", Tier.BASIC, 3
    unit, scale, standard = "points", Bounds(0, 10), Bounds(2, 5)

    def __init__(self, score: float | None) -> None:
        self.score = score

    def measure(self, candidate: Candidate) -> Measurement | None:
        if self.score == 13:
            raise RuntimeError("no  such\nluck")
        return None if self.score is None else Measurement(self.score, {"why": 1})


FRAMES = SampledFrames(Drawn(np.zeros((1, 4, 4, 3), np.uint8)), np.zeros(1))
CANDIDATE = Candidate("a.png", Path("a.png"), "", FileFacts(MediaKind.IMAGE, 1), frames=FRAMES)


@pytest.mark.parametrize(
    ("score", "outcome"),
    [
        (2, Outcome.KEPT),
        (5, Outcome.KEPT),
        (1.9, Outcome.REJECTED),
        (5.1, Outcome.REJECTED),
        (None, Outcome.NOT_APPLICABLE),
        (13, Outcome.FAILED),
        (float("nan"), Outcome.FAILED),
    ],
)
def test_scores_become_outcomes(score: float | None, outcome: Outcome) -> None:
    verdict = judge(Fixed(score), Fixed.standard, CANDIDATE)
    assert verdict.outcome is outcome
    assert outcome.passes == (outcome in (Outcome.KEPT, Outcome.NOT_APPLICABLE))
    assert (verdict.sample, verdict.check, verdict.version) == ("a.png", "fixed", 3)
    assert (verdict.low, verdict.high) == (2, 5)


def test_reasons_are_one_line() -> None:
    assert judge(Fixed(13), Fixed.standard, CANDIDATE).reason == "RuntimeError: no such luck"
    assert "2 to 5 is kept" in judge(Fixed(7), Fixed.standard, CANDIDATE).reason


def test_without_frames_only_facts_are_asked() -> None:
    blind = replace(CANDIDATE, frames=None)
    assert judge(Fixed(3), Fixed.standard, blind).outcome is Outcome.SKIPPED


def test_every_check_says_what_it_is() -> None:
    names = [check.name for check in ALL]
    assert len(set(names)) == len(names)
    for check in ALL:
        assert check.name.isidentifier(), check.name
        assert check.version >= 1
        assert check.unit
        assert check.__doc__
        for end in (check.standard.low, check.standard.high):
            assert not np.isfinite(end) or end in check.scale, check.name
        assert check.standard != Bounds(), f"{check.name} keeps everything"
