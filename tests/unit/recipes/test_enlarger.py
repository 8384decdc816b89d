"""A super-resolver learns to enlarge, and everything else of it stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from omnireel.errors import IntegrityError, InvalidInput
from omnireel.generate import UpscalePipeline
from omnireel.generate.components import (
    ENLARGER,
    PIXEL_PARTS,
    own_weights,
    part_weights,
    with_part,
)
from omnireel.recipes.export import export_run
from omnireel.recipes.run import RunRequest, run_recipe
from omnireel.recipes.upscaler import check_enlarger
from omnireel.registry import load_component, save_component
from omnireel.shipped import SHIPPED_TINY
from omnireel.train.latent_cache import LatentCacheConfig
from omnireel.types import Clip

VAE = SHIPPED_TINY / "vae"


def silent(what: str, done: int, total: int) -> None:
    del what, done, total


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped super-resolver without its enlarger."""
    shipped = load_component(SHIPPED_TINY / "upscaler")
    upscale = {k: v for k, v in shipped.config["upscale"].items() if k not in PIXEL_PARTS}
    return save_component(
        tmp_path_factory.mktemp("plain") / "upscaler",
        kind="upscaler",
        config={**shipped.config, "upscale": upscale},
        state_dict=own_weights(shipped.state_dict),
        card={"recipe": "upscaler-tiny", "command": "omnireel train upscaler-tiny"},
    )


@pytest.fixture(scope="module")
def enlarging(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("enlarger")
    request = RunRequest("enlarger-debug", folder / "run", folder / "cache", init_from=plain)
    run_recipe(request, (), silent)
    return export_run(folder / "run", folder / "component", cache=folder / "cache", report=silent)


def test_the_component_is_the_old_transformer_with_a_new_enlarger(
    plain: Path, enlarging: Path
) -> None:
    before, after = load_component(plain), load_component(enlarging, kind="upscaler")
    assert after.config["upscale"]["enlarger"] == {"channels": 8, "blocks": 1}
    rest = own_weights(after.state_dict)
    assert rest.keys() == before.state_dict.keys()
    assert all(torch.equal(rest[name], tensor) for name, tensor in before.state_dict.items())
    assert [stage["recipe"] for stage in after.card["earlier"]] == ["upscaler-tiny"]
    assert "--init-from" not in after.card["earlier"][0]["command"]


def test_pixels_say_something_before_latents_do(plain: Path, enlarging: Path) -> None:
    rng = np.random.default_rng(0)
    base = Clip(rng.integers(0, 256, (5, 32, 32, 3), np.uint8), fps=8.0)
    old, new = UpscalePipeline.open(plain, VAE), UpscalePipeline.open(enlarging, VAE)
    assert old.enlarger is None
    assert torch.equal(old.enlarge(base), old.interpolate(base))
    assert torch.equal(new.interpolate(base), old.interpolate(base))
    assert not torch.equal(new.enlarge(base), new.interpolate(base))
    assert new.enlarge(base).abs().max() <= 1


def test_it_starts_from_a_super_resolver_alone(tmp_path: Path) -> None:
    for start in (None, SHIPPED_TINY / "generator"):
        request = RunRequest("enlarger-debug", tmp_path / "run", tmp_path / "c", init_from=start)
        with pytest.raises(InvalidInput, match=r"super-resolver|upscaler"):
            run_recipe(request, (), silent)


def test_an_enlarger_of_another_size_is_named(enlarging: Path, tmp_path: Path) -> None:
    request = RunRequest(
        "enlarger-debug", tmp_path / "run", tmp_path / "c",
        init_from=enlarging, overrides=("model.channels=4",),
    )  # fmt: skip
    with pytest.raises(InvalidInput, match=r"8 channels and 1 blocks; set model\.channels"):
        run_recipe(request, (), silent)


def test_a_super_resolver_that_changed_under_the_run_is_refused(
    plain: Path, tmp_path: Path
) -> None:
    origin = tmp_path / "upscaler"
    component = load_component(plain)

    def save(change: float) -> None:
        state = {n: t + change for n, t in component.state_dict.items()}
        card: dict[str, str] = {}
        save_component(
            origin, kind="upscaler", config=component.config, state_dict=state, card=card
        )

    save(0.0)
    request = RunRequest("enlarger-debug", tmp_path / "run", tmp_path / "c", init_from=origin)
    run_recipe(request, (), silent)
    save(0.5)
    with pytest.raises(IntegrityError, match="no longer the super-resolver"):
        export_run(tmp_path / "run", tmp_path / "out", cache=tmp_path / "c", report=silent)


def test_pairs_for_the_transformer_are_enlarged_as_it_is_served(
    plain: Path, enlarging: Path, tmp_path: Path
) -> None:
    interpolated, enlarged = (
        LatentCacheConfig(upscale=2),
        LatentCacheConfig(upscale=2, enlarger=enlarging),
    )
    check_enlarger(plain, interpolated)
    check_enlarger(enlarging, enlarged)
    check_enlarger(plain, enlarged)
    with pytest.raises(InvalidInput, match=r"set data\.enlarger="):
        check_enlarger(enlarging, interpolated)
    other = load_component(enlarging)
    changed = {n: t + 1.0 for n, t in part_weights(other.state_dict, ENLARGER).items()}
    another = save_component(
        tmp_path / "another", kind="upscaler", config=other.config,
        state_dict=with_part(own_weights(other.state_dict), ENLARGER, changed), card={},
    )  # fmt: skip
    with pytest.raises(InvalidInput, match=r"set data\.enlarger="):
        check_enlarger(another, enlarged)


def test_a_transformer_that_is_trained_on_keeps_the_enlarger(
    enlarging: Path, tmp_path: Path
) -> None:
    request = RunRequest(
        "upscaler-tiny", tmp_path / "run", tmp_path / "c", init_from=enlarging,
        overrides=(
            "trainer.num_steps=1", "trainer.max_minutes=null", "trainer.validate_every=1000",
            f"data.enlarger={enlarging}", "data.count=6", "data.shard_samples=2",
            "batch_size=1", "held_out=4", "previews=0", "workers=0", "trainer.feed.workers=0",
        ),
    )  # fmt: skip
    run_recipe(request, (), silent)
    out = export_run(tmp_path / "run", tmp_path / "out", cache=tmp_path / "c", report=silent)
    before, after = load_component(enlarging), load_component(out)
    assert after.config["upscale"]["enlarger"] == before.config["upscale"]["enlarger"]
    mine, theirs = (part_weights(c.state_dict, ENLARGER) for c in (after, before))
    assert mine.keys() == theirs.keys() and mine
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert UpscalePipeline.open(out, VAE).enlarger is not None


def test_damaged_weights_of_the_enlarger_are_refused(enlarging: Path, tmp_path: Path) -> None:
    component = load_component(enlarging)
    state = dict(component.state_dict)
    del state["enlarger.out.conv.bias"]
    broken = save_component(
        tmp_path / "broken", kind="upscaler", config=component.config, state_dict=state, card={}
    )
    with pytest.raises(IntegrityError, match="do not fit their configuration"):
        UpscalePipeline.open(broken, VAE)
