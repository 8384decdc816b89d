"""Checks of tier 1 that need no pictures, by facts of a file, and on files that are damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omnireel.data.bench.files import FAULTS, FILE_CHECKS, Whole, scores_of_file, with_tone
from omnireel.data.bench.footage import Footage
from omnireel.data.candidate import AudioFacts, Candidate, FileFacts, Shot
from omnireel.data.checks import CHECKS, Outcome, judge
from omnireel.types import MediaKind
from tests.support.footage import texture

FACTS = FileFacts(
    MediaKind.VIDEO, 1000, width=640, height=360, fps=24.0, said_s=3.0, seen_s=3.0, packets=72,
    decoded=40, audio=AudioFacts("aac", 48_000, 2, 3.0, broken=False),
)  # fmt: skip


def outcome(name: str, facts: FileFacts, shot: Shot | None = None) -> Outcome:
    check = next(check for check in CHECKS if check.name == name)
    candidate = Candidate("a", Path("a"), "", facts, shot or Shot(0.0, facts.seen_s))
    return judge(check(), check.standard, candidate).outcome


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("readable", {"error": "no index"}),
        ("damage", {"corrupt": 1}),
        ("said_duration", {"said_s": 12.0}),
        ("said_duration", {"said_s": 2.0}),
        ("sound", {"audio": AudioFacts("aac", 48_000, 2, 3.0, broken=True)}),
        ("sound", {"audio": AudioFacts("aac", 48_000, 2, 1.2, broken=False)}),
        ("resolution", {"height": 100}),
        ("aspect", {"width": 1200}),
        ("frame_rate", {"fps": 2.0}),
        ("frame_rate", {"fps": 400.0}),
        ("duration", {"seen_s": 0.5}),
    ],
)
def test_what_a_check_rejects_and_keeps(name: str, facts: dict[str, Any]) -> None:
    assert outcome(name, replace(FACTS, **facts)) is Outcome.REJECTED
    assert outcome(name, FACTS) is Outcome.KEPT


def test_what_cannot_be_asked_is_not_held_against_a_file() -> None:
    image = replace(FACTS, kind=MediaKind.IMAGE, fps=0.0, seen_s=0.0, audio=None)
    for name in ("said_duration", "sound", "frame_rate", "duration"):
        assert outcome(name, image) is Outcome.NOT_APPLICABLE
    assert outcome("said_duration", replace(FACTS, said_s=0.0)) is Outcome.NOT_APPLICABLE
    assert outcome("sound", replace(FACTS, audio=None)) is Outcome.KEPT


def test_a_short_shot_of_a_long_file_goes_alone() -> None:
    assert outcome("duration", FACTS, Shot(0.0, 0.4, 0, whole=False)) is Outcome.REJECTED
    assert outcome("duration", FACTS, Shot(0.4, 3.0, 1, whole=False)) is Outcome.KEPT


def test_each_fault_of_the_bench_is_found_by_its_check() -> None:
    footage = Footage(texture(5, 30, (256, 320)), 12.0)
    whole = Whole(footage, with_tone(footage))
    assert {fault.check for fault in FAULTS} >= {check.name for check in FILE_CHECKS}
    for fault in FAULTS:
        scores = scores_of_file(fault.make(whole))
        rejected = {
            check.name
            for check in FILE_CHECKS
            if (score := scores[check.name]) is not None and score not in check.standard
        }
        assert (fault.check in rejected) if fault.check else not rejected, (fault.name, rejected)
