"""Oracles that need no reader, on exact and on spoilt clips."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from omnireel.errors import InvalidInput
from omnireel.evaluate.cases import FIRST_SEED, CaseConfig, cases_of
from omnireel.evaluate.judgement import Judgement, Viewer
from omnireel.evaluate.oracles import BY_CAPABILITY, oracles_of
from omnireel.evaluate.oracles.pixels import (
    CAP_DB,
    EDIT,
    FIRST_FRAME,
    KEPT,
    LAST_FRAME,
    TARGET,
    psnr,
)
from omnireel.evaluate.oracles.transfer import agreement
from omnireel.evaluate.perception import Perception
from omnireel.evaluate.perception.movement import MovementReader
from omnireel.evaluate.perception.reader import SceneReader
from omnireel.evaluate.perception.subject import SubjectReader
from omnireel.types import Clip, VideoFormat
from omnireel.world.holdout import split_of
from omnireel.world.tasks import CAPABILITIES, TaskSample, sample_task

FORMAT = VideoFormat(32, 32, 5, 8.0)


@pytest.fixture(scope="module")
def viewer() -> Iterator[Viewer]:
    yield Viewer(Perception(SceneReader().eval(), SubjectReader().eval(), MovementReader().eval()))


def _case(capability: str, seed: int = 3) -> TaskSample:
    return sample_task(capability, seed, FORMAT)


def test_psnr_of_a_known_error() -> None:
    a = np.zeros((1, 4, 4, 3), np.uint8)
    assert psnr(a, a) == CAP_DB
    assert psnr(a, a + 51) == pytest.approx(-20 * np.log10(51 / 255))
    half = np.zeros((1, 4, 4), bool)
    half[:, :2] = True
    b = a.copy()
    b[:, 2:] = 255
    assert psnr(a, b, half) == CAP_DB
    assert psnr(a, b, ~half) == pytest.approx(0.0)
    assert psnr(a, b, np.zeros((1, 4, 4), bool)) is None


def test_a_local_edit_keeps_the_rest_exactly(viewer: Viewer) -> None:
    sample = _case("C6")
    exact = Judgement(sample.target, sample, viewer)
    assert KEPT.score(exact) == CAP_DB
    assert EDIT.score(exact) == CAP_DB
    source = sample.media["Video_1"][0]
    untouched = Judgement(source, sample, viewer)
    kept, edit = KEPT.score(untouched), EDIT.score(untouched)
    assert kept == CAP_DB
    assert edit is not None and edit < 25


def test_damage_outside_the_mask_is_seen(viewer: Viewer) -> None:
    sample = _case("C6")
    mask = sample.edit_mask_THW
    assert mask is not None
    frames = sample.target.frames_THWC.copy()
    frames[~mask] = 255 - frames[~mask]
    spoilt = Judgement(Clip(frames), sample, viewer)
    kept = KEPT.score(spoilt)
    assert kept is not None and kept < 15
    assert EDIT.score(spoilt) == CAP_DB


def test_nothing_is_kept_in_a_whole_picture_edit(viewer: Viewer) -> None:
    sample = _case("C7")
    assert KEPT.score(Judgement(sample.target, sample, viewer)) is None


def test_given_frames(viewer: Viewer) -> None:
    sample = _case("C19")
    exact = Judgement(sample.target, sample, viewer)
    assert FIRST_FRAME.score(exact) == LAST_FRAME.score(exact) == TARGET.score(exact) == CAP_DB
    backwards = Judgement(Clip(sample.target.frames_THWC[::-1]), sample, viewer)
    first = FIRST_FRAME.score(backwards)
    assert first is not None and first < CAP_DB
    assert FIRST_FRAME.score(Judgement(sample.target, _case("C20"), viewer)) is None


def test_agreement_of_paths() -> None:
    t = np.linspace(0, 1, 17)[:, None]
    right = np.concatenate([0.5 * t, 0 * t], 1).astype(np.float32)
    still = np.zeros((17, 2), np.float32)
    assert agreement(right, right) == pytest.approx(1.0)
    assert agreement(right, right + 0.3) == pytest.approx(1.0)  # elsewhere, but the same way
    assert agreement(right, -right) < -0.9
    assert agreement(still, still) == pytest.approx(1.0)
    assert abs(agreement(right, still)) < 0.1


def test_every_implemented_capability_has_oracles() -> None:
    assert set(BY_CAPABILITY) == set(CAPABILITIES)
    for row in BY_CAPABILITY.values():
        names = [oracle.name for oracle in row]
        assert len(set(names)) == len(names)
    with pytest.raises(InvalidInput, match="C99"):
        oracles_of("C99")


def test_cases_are_fixed_disjoint_from_training_and_of_both_splits() -> None:
    config = CaseConfig(("C20",), count=3, held_out_share=0.5, format=FORMAT)
    cases, again = list(cases_of("C20", config)), list(cases_of("C20", config))
    assert [c.split for c in cases] == ["train"] * 3 + ["held_out"] * 2
    assert all(split_of(c.sample.scene) == c.split for c in cases)
    assert min(c.sample.seed for c in cases) >= FIRST_SEED
    assert [c.sample.prompt.text for c in cases] == [c.sample.prompt.text for c in again]
    other = list(cases_of("C20", CaseConfig(("C20",), count=3, seed=1, format=FORMAT)))
    assert not {c.sample.seed for c in cases} & {c.sample.seed for c in other}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"capabilities": ("C99",)}, "capability"),
        ({"count": 1}, "count"),
        ({"seed": -1}, "seed"),
        ({"held_out_share": 2.0}, "held_out_share"),
    ],
)
def test_bad_configurations_are_named(wrong: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        CaseConfig(**wrong)  # type: ignore[arg-type]
    assert caught.value.violations[0].field == field
