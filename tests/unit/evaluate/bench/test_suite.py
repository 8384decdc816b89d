"""The fixed cases: drawn anew they are the same, and they cover what they should."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from omnireel.errors import IntegrityError, InvalidInput
from omnireel.evaluate.bench.suite import (
    FIRST_SEED,
    INDEX,
    choose,
    chosen,
    index_bytes,
    partner_of,
    read_index,
    sample_of,
)
from omnireel.evaluate.bench.tags import CHALLENGES, SCENARIOS, SUBJECTS
from omnireel.evaluate.cases import FIRST_SEED as FIRST_QUICK_SEED
from omnireel.types import VideoFormat
from omnireel.world.holdout import split_of
from omnireel.world.tasks import CAPABILITIES

SMALL = VideoFormat(32, 32, 17, 8.0)


def test_the_index_is_what_the_seeds_draw() -> None:
    drawn = [case for name in CAPABILITIES for case in choose(name)]
    assert index_bytes(drawn) == INDEX.read_bytes()


def test_every_capability_has_enough_cases_of_both_splits() -> None:
    counts = Counter((case.capability, case.split) for case in read_index())
    assert len(read_index()) >= 500
    for name in CAPABILITIES:
        assert counts[name, "train"] + counts[name, "held_out"] >= 20
        assert counts[name, "held_out"] >= 8
    assert len({(c.capability, c.split, c.seed) for c in read_index()}) == len(read_index())
    assert min(case.seed for case in read_index()) >= FIRST_SEED > FIRST_QUICK_SEED + 500_000_000


def test_every_subject_scenario_and_challenge_occurs() -> None:
    for kinds, name in ((SUBJECTS, "subject"), (SCENARIOS, "scenario"), (CHALLENGES, "challenge")):
        counts = Counter(getattr(case.tags, name) for case in read_index())
        assert set(counts) == set(kinds)
        assert min(counts.values()) >= 30


def test_the_quick_form_has_two_cases_of_each_capability() -> None:
    quick = chosen(quick=True)
    assert len(quick) == 50
    assert {c.capability for c in quick[:25]} == set(CAPABILITIES)
    assert not any(case.held_out for case in quick)


def test_a_case_is_floored_by_another_of_its_kind_whatever_is_run() -> None:
    for case in read_index():
        partner = partner_of(case)
        assert partner != case
        assert (partner.capability, partner.split) == (case.capability, case.split)


def test_held_out_cases_show_held_out_combinations() -> None:
    for case in chosen(("C5", "C20")):
        if case.number in (0, 16):
            assert split_of(sample_of(case, SMALL).scene) == case.split


def test_a_world_that_draws_other_scenes_is_noticed() -> None:
    case = replace(chosen(("C20",))[0], plan="0" * 16)
    with pytest.raises(IntegrityError, match="the world has changed"):
        sample_of(case, SMALL)


def test_an_unknown_capability_is_named() -> None:
    with pytest.raises(InvalidInput, match="unknown capability 'C99'"):
        chosen(("C99",))
