"""Tier 3 on real files of the world: what they apply to, and that they tell right from wrong."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from omnireel.data.checks.agreement import (
    CameraMatch,
    CaptionMatch,
    EditDone,
    EditKept,
    IdentityMatch,
    MotionMatch,
    ReferenceMatch,
    all_checks,
    telling,
)
from omnireel.data.checks.base import Bounds, Check, Models, Outcome, judge
from omnireel.data.checks.likeness import (
    PlaceMatch,
    RestyleMatch,
    SketchMatch,
    likeness_checks,
)
from omnireel.data.checks.registry import CROSS_MODAL
from omnireel.data.crossmodal.labelled import MAKERS, labelled
from omnireel.data.crossmodal.measure import Scores, best_threshold, worth_of
from omnireel.embed.network import EmbedderConfig, MatchingNetwork
from omnireel.model.text import Tokenizer
from omnireel.registry import save_component
from omnireel.world.lexicon import vocabulary

CONFIG = EmbedderConfig(vocabulary(), width=32, heads=2, embed_dim=8, subject_dim=8)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """An embedder that has learnt nothing: what is asked of it is looked at here, not how well."""
    folder = tmp_path_factory.mktemp("models") / "embedder"
    torch.manual_seed(0)
    network = MatchingNetwork(CONFIG, len(Tokenizer(CONFIG.words)))
    save_component(
        folder, kind="embedder", config=asdict(CONFIG), state_dict=network.state_dict(), card={}
    )
    return Models(embedder=folder)


def test_every_check_is_registered_and_has_labelled_samples() -> None:
    assert (*all_checks(), *likeness_checks()) == CROSS_MODAL
    assert {check.name for check in CROSS_MODAL} == set(MAKERS)


@pytest.mark.parametrize("kind", CROSS_MODAL, ids=lambda kind: kind.name)
def test_every_check_scores_its_samples(kind: type[Check], tmp_path: Path, models: Models) -> None:
    check = kind.load(models)
    samples = list(labelled(check.name, 4, 5, tmp_path))
    assert [sample.good for sample in samples] == [True, False, True, False]
    for sample in samples:
        found = check.measure(sample.candidate)
        assert found is not None
        assert 0 <= found.score <= 1


def test_sentences_about_inputs_are_no_captions() -> None:
    assert telling("Animate @Start. A red ball rolls. It is day.") == "A red ball rolls. It is day."
    assert telling("@Hero jumps on the beach") == "@Hero jumps on the beach"


def test_what_a_check_is_not_about_is_not_judged(tmp_path: Path, models: Models) -> None:
    (plain,) = labelled("caption_match", 1, 1, tmp_path)
    nothing: tuple[type[Check], ...] = (
        ReferenceMatch,
        IdentityMatch,
        EditDone,
        EditKept,
        MotionMatch,
        CameraMatch,
    )
    nothing += (SketchMatch, PlaceMatch, RestyleMatch)
    for kind in nothing:
        verdict = judge(kind.load(models), Bounds(0.5), plain.candidate)
        assert verdict.outcome is Outcome.NOT_APPLICABLE
    silent = replace(plain.candidate, caption="")
    assert judge(CaptionMatch.load(models), Bounds(0.5), silent).outcome is Outcome.NOT_APPLICABLE


def test_a_companion_that_cannot_be_read_rejects_the_sample(tmp_path: Path) -> None:
    (sample,) = labelled("camera_match", 1, 1, tmp_path)
    sample.candidate.companions[0].path.write_bytes(b"no clip")
    verdict = judge(CameraMatch.load(Models()), Bounds(0.1), sample.candidate)
    assert verdict.outcome is Outcome.FAILED
    assert "@Video_1" in verdict.reason
    verdict = judge(
        CaptionMatch.load(Models()), Bounds(0.1), replace(sample.candidate, caption="x")
    )
    assert "needs an embedder" in verdict.reason


def test_a_threshold_is_chosen_between_right_and_wrong() -> None:
    scores = Scores(np.array([0.1, 0.2, 0.3, 0.8, 0.9]), ("x", "x", "", "", ""))
    threshold = best_threshold(scores)
    assert threshold == pytest.approx(0.25)
    worth = worth_of(scores, threshold)
    assert (worth.precision, worth.recall, worth.auc) == (1.0, 1.0, 1.0)
    low = worth_of(scores, 0.15)
    assert (low.precision, low.recall) == (1.0, 0.5)
    assert low.found_by_flaw == {"x": 0.5}


@pytest.mark.parametrize(
    ("name", "asked", "spared"),
    [
        ("sketch_match", SketchMatch, (ReferenceMatch, PlaceMatch)),
        ("place_match", PlaceMatch, (ReferenceMatch, SketchMatch)),
        ("restyle_match", RestyleMatch, (EditDone, EditKept)),
    ],
)
def test_drawings_places_and_looks_are_compared_by_what_is_seen(
    name: str, asked: type[Check], spared: tuple[type[Check], ...], tmp_path: Path, models: Models
) -> None:
    right = 0
    for sample in labelled(name, 8, 3, tmp_path):
        verdict = judge(asked.load(models), asked.standard, sample.candidate)
        right += verdict.outcome is (Outcome.KEPT if sample.good else Outcome.REJECTED)
        for other in spared:
            verdict = judge(other.load(models), other.standard, sample.candidate)
            assert verdict.outcome is Outcome.NOT_APPLICABLE
    assert right >= 7


def test_a_threshold_is_in_the_middle_of_those_that_are_as_good() -> None:
    scores = np.array([0.1, 0.11, 0.4, 0.5, 0.6, 0.89, 0.9])
    found = best_threshold(Scores(scores, ("x", "x", "", "x", "", "", "")))
    assert found == pytest.approx(0.55)  # 0.255 and 0.45 find less or reject more
