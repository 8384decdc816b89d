"""A super-resolver learns which given pixels to show, and everything else of it stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from omnireel.errors import InvalidInput
from omnireel.generate import UpscalePipeline
from omnireel.generate.components import FUSION, PIXEL_PARTS, own_weights, part_weights
from omnireel.generate.enlarging import enlarged
from omnireel.generate.frames import frames_to_video
from omnireel.mvl.prompt import Input, Prompt, TextPart
from omnireel.recipes.export import export_run
from omnireel.recipes.fusion import debug_fusion
from omnireel.recipes.run import RunRequest, run_recipe
from omnireel.registry import load_component, save_component
from omnireel.shipped import SHIPPED_TINY
from omnireel.train.pair_batches import PairBatchConfig, PairBatches
from omnireel.train.pair_cache import PairCache, PairCacheConfig, build_pair_cache
from omnireel.types import Clip, MediaKind, Role

VAE = SHIPPED_TINY / "vae"


def silent(what: str, done: int, total: int) -> None:
    del what, done, total


def _without(tmp: Path, *parts: str) -> Path:
    """The shipped super-resolver without some of its parts."""
    shipped = load_component(SHIPPED_TINY / "upscaler")
    prefixes = tuple(f"{part}." for part in parts)
    upscale = {k: v for k, v in shipped.config["upscale"].items() if k not in parts}
    state = {n: t for n, t in shipped.state_dict.items() if not n.startswith(prefixes)}
    return save_component(
        tmp / "upscaler", kind="upscaler", config={**shipped.config, "upscale": upscale},
        state_dict=state, card={"recipe": "enlarger-tiny", "command": "omnireel train enlarger"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _without(tmp_path_factory.mktemp("plain"), FUSION)


@pytest.fixture(scope="module")
def fusing(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fusion")
    request = RunRequest("fusion-debug", folder / "run", folder / "cache", init_from=plain)
    run_recipe(request, (), silent)
    return export_run(folder / "run", folder / "component", cache=folder / "cache", report=silent)


def test_the_component_is_the_old_one_with_a_fusion(plain: Path, fusing: Path) -> None:
    before, after = load_component(plain), load_component(fusing, kind="upscaler")
    assert after.config["upscale"][FUSION] == {"channels": 8, "blocks": 1}
    assert part_weights(after.state_dict, FUSION)
    rest = {n: t for n, t in after.state_dict.items() if not n.startswith(f"{FUSION}.")}
    assert rest.keys() == before.state_dict.keys()
    assert all(torch.equal(rest[name], tensor) for name, tensor in before.state_dict.items())
    assert own_weights(after.state_dict).keys() == own_weights(rest).keys()


def test_a_result_shows_its_media_only_where_they_are_large_enough(fusing: Path) -> None:
    rng = np.random.default_rng(0)
    base = Clip(rng.integers(0, 256, (5, 32, 32, 3), np.uint8), fps=8.0)
    pipeline = UpscalePipeline.open(fusing, VAE)
    prompt = Prompt((TextPart("go on"),), (Input("A", MediaKind.IMAGE, Role.FIRST_FRAME),))
    made = enlarged(frames_to_video(base.frames_THWC), 2, pipeline.enlarger)
    large, small = (
        {"A": (Clip(rng.integers(0, 256, (1, side, side, 3), np.uint8), fps=8.0),)}
        for side in (64, 32)
    )
    assert torch.equal(pipeline.show_given(made, base.format, prompt, small), made.video_CTHW)
    shown = pipeline.show_given(made, base.format, prompt, large)
    assert shown.shape == made.video_CTHW.shape and not torch.equal(shown, made.video_CTHW)


def test_it_goes_on_from_a_fusion_of_its_size(fusing: Path, tmp_path: Path) -> None:
    request = RunRequest(
        "fusion-debug", tmp_path / "run", tmp_path / "c", init_from=fusing,
        overrides=("trainer.optimizer.muon_lr=0", "trainer.optimizer.adamw_lr=0"),
    )  # fmt: skip
    run_recipe(request, (), silent)
    out = export_run(tmp_path / "run", tmp_path / "out", cache=tmp_path / "c", report=silent)
    before, after = (part_weights(load_component(f).state_dict, FUSION) for f in (fusing, out))
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    other = replace(request, out=tmp_path / "run2", overrides=("model.channels=4",))
    with pytest.raises(InvalidInput, match="8 channels and 1 blocks; set model"):
        run_recipe(other, (), silent)


def test_it_needs_an_enlarger_and_the_media_of_clips(tmp_path: Path) -> None:
    bare = _without(tmp_path, *PIXEL_PARTS)
    for start, match in ((None, "--init-from"), (bare, "no enlarger")):
        request = RunRequest("fusion-debug", tmp_path / "run", tmp_path / "c", init_from=start)
        with pytest.raises(InvalidInput, match=match):
            run_recipe(request, (), silent)
    recipe = debug_fusion()
    with pytest.raises(InvalidInput, match=r"data\.given=true"):
        replace(recipe, data=replace(recipe.data, given=False))


def test_a_new_enlarger_takes_the_fusion_away(fusing: Path, tmp_path: Path) -> None:
    request = RunRequest(
        "enlarger-debug", tmp_path / "run", tmp_path / "c", init_from=fusing,
        overrides=("model.channels=64", "model.blocks=12"),
    )  # fmt: skip
    run_recipe(request, (), silent)
    out = export_run(tmp_path / "run", tmp_path / "out", cache=tmp_path / "c", report=silent)
    component = load_component(out)
    assert FUSION not in component.config["upscale"]
    assert not part_weights(component.state_dict, FUSION)


def test_crops_of_media_lie_over_those_of_the_clip(tmp_path: Path) -> None:
    # A first frame is the clip's own, and an edited video differs from it only in places.
    data = PairCacheConfig(
        count=6, formats=debug_fusion().data.formats, shard_pairs=3, given=True,
        weights={"C18": 1.0, "C4": 1.0}, exact_share=1.0,
    )  # fmt: skip
    cache = PairCache(build_pair_cache(tmp_path, data, VAE, workers=0), data.count)
    for bucket in cache.buckets:
        for at in bucket:
            (given,) = cache.pair(*at).given
            assert len(given) in (1, 5) and given.shape[1:] == (64, 64, 3)
    batches = PairBatches(cache, PairBatchConfig(batch_size=4, side=16, frames=3, image_share=0))
    near = []
    for step in range(8):
        batch = batches.batch(step)
        for large, (given,) in zip(batch.large_BTHWC, batch.given, strict=True):
            assert given.shape == ((3 if len(given) > 1 else 1), 32, 32, 3)
            near.append(np.median(np.abs(large.astype(int) - given)) < 3)
    assert np.mean(near) > 0.7
