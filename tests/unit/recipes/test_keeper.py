"""An autoencoder learns which given pixels its clips show, and everything else of it stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from omnireel.errors import IntegrityError, InvalidInput
from omnireel.generate.components import (
    KEEPER,
    latent_space_sha256,
    load_keeper,
    own_weights,
    part_weights,
    vae_config,
)
from omnireel.recipes.export import export_run
from omnireel.recipes.keeper import debug_keeper
from omnireel.recipes.run import RunRequest, run_recipe
from omnireel.registry import load_component, save_component
from omnireel.shipped import SHIPPED_TINY
from omnireel.train.pair_batches import PairBatchConfig, PairBatches
from omnireel.train.pair_cache import PairCache, build_pair_cache

STILL = ("trainer.optimizer.muon_lr=0", "trainer.optimizer.adamw_lr=0")


def silent(what: str, done: int, total: int) -> None:
    del what, done, total


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped autoencoder without its keeper."""
    shipped = load_component(SHIPPED_TINY / "vae")
    return save_component(
        tmp_path_factory.mktemp("plain") / "vae", kind="vae",
        config={k: v for k, v in shipped.config.items() if k != KEEPER},
        state_dict=own_weights(shipped.state_dict),
        card={"recipe": "vae-tiny", "command": "omnireel train vae-tiny"},
    )  # fmt: skip


def _trained(folder: Path, start: Path, *overrides: str) -> Path:
    request = RunRequest(
        "keeper-debug", folder / "run", folder / "cache", init_from=start, overrides=overrides
    )
    run_recipe(request, (), silent)
    return export_run(folder / "run", folder / "component", cache=folder / "cache", report=silent)


@pytest.fixture(scope="module")
def keeping(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _trained(tmp_path_factory.mktemp("keeper"), plain)


def test_the_component_is_the_old_one_with_a_keeper(plain: Path, keeping: Path) -> None:
    before, after = load_component(plain), load_component(keeping, kind="vae")
    assert after.config == {**before.config, KEEPER: {"channels": 8, "blocks": 1}}
    assert vae_config(after) == vae_config(before)
    assert part_weights(after.state_dict, KEEPER)
    rest = own_weights(after.state_dict)
    assert rest.keys() == before.state_dict.keys()
    assert all(torch.equal(rest[name], tensor) for name, tensor in before.state_dict.items())
    assert latent_space_sha256(keeping) == latent_space_sha256(plain)
    assert load_keeper(plain) is None and load_keeper(keeping) is not None


def test_it_goes_on_from_a_keeper_of_its_size(keeping: Path, tmp_path: Path) -> None:
    out = _trained(tmp_path / "same", keeping, *STILL)
    before, after = (part_weights(load_component(f).state_dict, KEEPER) for f in (keeping, out))
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    with pytest.raises(InvalidInput, match="8 channels and 1 blocks; set model"):
        _trained(tmp_path / "other", keeping, "model.channels=4")


def test_it_needs_an_autoencoder_and_the_media_of_clips(tmp_path: Path) -> None:
    for start, match in ((None, "--init-from"), (SHIPPED_TINY / "upscaler", "vae")):
        request = RunRequest("keeper-debug", tmp_path / "run", tmp_path / "c", init_from=start)
        with pytest.raises((InvalidInput, IntegrityError), match=match):
            run_recipe(request, (), silent)
    recipe = debug_keeper()
    for wrong in ({"given": False}, {"factor": 2}):
        with pytest.raises(InvalidInput, match=r"data\.given=true"):
            replace(recipe, data=replace(recipe.data, **wrong))


def test_crops_of_media_lie_over_those_of_the_clip(tmp_path: Path) -> None:
    # An edited video differs from its source only in places.
    data = replace(debug_keeper().data, weights={"C4": 1.0})
    folder = build_pair_cache(tmp_path, data, SHIPPED_TINY / "vae", workers=0)
    cache = PairCache(folder, data.count)
    batches = PairBatches(cache, PairBatchConfig(batch_size=4, side=16, frames=3, image_share=0))
    near = []
    for step in range(8):
        batch = batches.batch(step)
        assert batch.small_BTHWC.shape == batch.large_BTHWC.shape == (4, 3, 16, 16, 3)
        clips = zip(batch.large_BTHWC, batch.given, batch.looks, strict=True)
        for exact, (given,), (look,) in clips:
            assert given.shape == look.shape == (3, 16, 16, 3)
            near.append(np.median(np.abs(exact.astype(int) - given)) < 3)
            assert 0 < np.abs(look.astype(int) - given).mean() < 30
    assert np.mean(near) > 0.7
