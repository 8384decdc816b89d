from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from omnireel.errors import InvalidInput
from omnireel.generate import GeneratorPipeline
from omnireel.generate.pipeline import seeded_noise
from omnireel.recipes.base import Workplace
from omnireel.recipes.preference import debug_preference
from omnireel.recipes.preference_sampling import (
    PreferenceSamplingConfig,
    build_preferences,
    sample_pair,
)
from omnireel.train.preferences import PreferenceSet, Verdict
from omnireel.types import VideoFormat
from tests.support.engines.random_weights import save_random_weights

CONFIG = PreferenceSamplingConfig(
    prompts=4,
    candidates=3,
    num_inference_steps=1,
    tie_margin=0.0,
    format=VideoFormat(32, 32, 5, 8.0),
    weights={"C8": 1.0},
    shard_prompts=2,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_weights(tmp_path_factory.mktemp("weights"))


def test_the_winner_is_the_best_judged_candidate(weights: Path) -> None:
    pipeline = GeneratorPipeline.load(weights)
    sides = set()
    for seed in range(8):
        pair = sample_pair(pipeline, CONFIG, seed)
        (verdict,) = pair.verdicts
        assert verdict is not Verdict.TIE
        winner, loser = (
            (pair.first, pair.second) if verdict is Verdict.FIRST else (pair.second, pair.first)
        )
        assert winner.scores["overall"] > loser.scores["overall"]
        assert all(0.0 <= c.scores["overall"] <= 1.0 for c in (winner, loser))
        shape = winner.latents_CTHW.shape
        noise = seeded_noise(winner.seed, shape[0], tuple(shape[1:]), torch.device("cpu"))
        assert torch.equal(winner.noise_CTHW, noise)
        sides.add(verdict)
    assert sides == {Verdict.FIRST, Verdict.SECOND}, "the winner's side must tell nothing"
    tie = sample_pair(pipeline, replace(CONFIG, tie_margin=1.0), 0)
    assert tie.verdicts == (Verdict.TIE,)


def test_an_interrupted_set_is_completed_and_grows(weights: Path, tmp_path: Path) -> None:
    parts = (weights / "generator", weights / "vae")
    first = build_preferences(tmp_path, replace(CONFIG, prompts=2), *parts, workers=0)
    before = (first / "pairs_000000.json").stat().st_mtime_ns
    folder = build_preferences(tmp_path, CONFIG, *parts, workers=0)
    assert folder == first and len(PreferenceSet(folder)) == 4
    assert (first / "pairs_000000.json").stat().st_mtime_ns == before
    other = build_preferences(tmp_path, replace(CONFIG, candidates=2), *parts, workers=0)
    assert other != folder
    with pytest.raises(InvalidInput, match="candidates"):
        replace(CONFIG, candidates=1)


def test_few_pairs_are_not_seen_again_and_again(weights: Path, tmp_path: Path) -> None:
    recipe = replace(debug_preference(), vae=weights / "vae", reference=weights / "generator")
    recipe = replace(
        recipe, pairs=CONFIG, held_out=1, trainer=replace(recipe.trainer, num_steps=100)
    )
    place = Workplace(tmp_path, lambda what, done, total: None)
    with pytest.raises(InvalidInput, match=r"Lower trainer.num_steps to \d+") as told:
        recipe.assemble(place, None)
    enough = int(str(told.value).split("num_steps to ")[1].split(",")[0])
    recipe = replace(recipe, trainer=replace(recipe.trainer, num_steps=enough))
    assert recipe.assemble(place, None).data is not None
