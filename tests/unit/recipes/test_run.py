from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from omnireel.cli import train
from omnireel.errors import AlreadyExists, InvalidInput, NotFound
from omnireel.generate import GeneratorPipeline, UpscalePipeline
from omnireel.generate.components import check_latent_space, latent_space_sha256, load_vae
from omnireel.recipes.export import export_run
from omnireel.recipes.generator_tiny import debug_generator
from omnireel.recipes.run import RunRequest, check_start, read_run, run_recipe
from omnireel.recipes.transformer_size import TransformerSize
from omnireel.registry import load_component
from omnireel.train import Callback, ValidationReport, checkpoint
from omnireel.train.comparison import Comparison
from omnireel.train.pictures import ValidationFiles, comparison_film, save_comparisons


def _quiet(what: str, done: int, total: int) -> None:
    return None


VAE_SIZE = (
    'data.formats=[{"width": 32, "height": 32, "num_frames": 5, "fps": 8.0}]',
    "data.count=4",
    "data.shard_clips=4",
    "held_out_per_format=1",
    "trainer.num_steps=2",
    "trainer.validate_every=2",
    "trainer.checkpoint_every=1",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained and exported debug ladder: vae, generator, upscaler."""
    root = tmp_path_factory.mktemp("ladder")
    cache = root / "cache"
    run_recipe(
        RunRequest("vae-debug", root / "vae-run", cache, overrides=VAE_SIZE, command="omnireel a"),
        (),
        _quiet,
    )
    export_run(root / "vae-run", root / "tiny/vae", cache=cache, report=_quiet)
    for name, init in (("generator", None), ("upscaler", root / "tiny/generator")):
        small = (
            f"vae={root}/tiny/vae",
            "data.count=4",
            "data.shard_samples=4",
            'data.formats=[{"width": 32, "height": 32, "num_frames": 5, "fps": 8.0}]',
            'data.weights={"C20": 1.0}',
            "held_out=2",
            "previews=1",
            "batch_size=2",
            "trainer.num_steps=2",
            "trainer.validate_every=2",
        )
        run_recipe(
            RunRequest(f"{name}-debug", root / name, cache, init_from=init, overrides=small),
            (),
            _quiet,
        )
        export_run(
            root / name, root / f"tiny/{name}", cache=cache, report=_quiet, scores={"extra": 1.0}
        )
    return root


def test_the_exported_ladder_is_served(root: Path) -> None:
    pipeline = GeneratorPipeline.load(root / "tiny")
    assert pipeline.limits.capabilities == ("C20",)
    UpscalePipeline.load(root / "tiny")
    card = load_component(root / "tiny/generator").card
    assert card["scores"]["extra"] == 1.0 and "loss" in card["scores"]
    assert card["steps"] == 2 and card["recipe"] == "generator-debug"


def test_exported_vae_has_the_average_and_measured_statistics(root: Path) -> None:
    vae = load_vae(root / "tiny/vae")
    assert float(vae.latent_std.max()) > 0 and not torch.equal(
        vae.latent_std, torch.ones_like(vae.latent_std)
    )
    saved = checkpoint.load_checkpoint(root / "vae-run")
    name = "encoder.shortcut.conv.weight"
    expected = saved.ema[f"0.999/vae.{name}"]
    assert torch.allclose(vae.state_dict()[name], expected.bfloat16().float())


def test_a_decoder_is_trained_for_the_latents_that_are_there(root: Path, tmp_path: Path) -> None:
    overrides = (*VAE_SIZE, "decoder_only=true", "objective.latent_noise=0.1")
    request = RunRequest("vae-debug", tmp_path / "run", root / "cache", overrides=overrides)
    with pytest.raises(InvalidInput, match="--init-from"):
        run_recipe(request, (), _quiet)
    run_recipe(replace(request, init_from=root / "tiny/vae"), (), _quiet)
    better = export_run(request.out, tmp_path / "vae", cache=request.cache, report=_quiet, raw=True)
    assert latent_space_sha256(better) == latent_space_sha256(root / "tiny/vae")
    before, after = (load_vae(folder).decoder for folder in (root / "tiny/vae", better))
    assert not torch.equal(before.lift.conv.weight, after.lift.conv.weight)
    component = load_component(root / "tiny/generator")
    check_latent_space(component, better)


def test_resume_reads_its_own_data_and_recipe(root: Path, tmp_path: Path) -> None:
    request = RunRequest(
        "vae-debug", tmp_path / "run", root / "cache", overrides=VAE_SIZE, command="omnireel first"
    )
    run_recipe(request, (), _quiet)
    pinned = read_run(request.out).pinned["clips"]
    assert Path(pinned).parent == root / "cache"
    with pytest.raises(AlreadyExists, match="--resume"):
        run_recipe(request, (), _quiet)
    more = replace(
        request, resume=True, overrides=("trainer.num_steps=3",), command="omnireel second"
    )
    assert run_recipe(more, (), _quiet).step == 3
    saved = read_run(request.out)
    assert saved.commands == ("omnireel first", "omnireel second")
    assert saved.recipe.trainer.num_steps == 3 and saved.pinned["clips"] == pinned
    with pytest.raises(InvalidInput, match=r"objective\.edge_weight"):
        run_recipe(replace(more, overrides=("objective.edge_weight=0.9",)), (), _quiet)
    with pytest.raises(InvalidInput, match="holds a run of vae-debug"):
        run_recipe(replace(more, recipe="generator-debug"), (), _quiet)


def test_images_and_clips_train_in_packed_batches(root: Path, tmp_path: Path) -> None:
    overrides = (
        f"vae={root}/tiny/vae",
        'data={"formats": [{"width": 32, "height": 32, "num_frames": 1, "fps": 8.0},'
        ' {"width": 32, "height": 32, "num_frames": 5, "fps": 8.0}], "format_shares": [1, 1],'
        ' "weights": {"C20": 1.0}, "count": 8, "shard_samples": 4}',
        "held_out=2",
        "previews=1",
        "batching=packed",
        "packing.max_tokens=80",
        "trainer.accumulate=2",
        "trainer.num_steps=2",
        "trainer.log_every=1",
        "trainer.validate_every=2",
        "trainer.peak_tflops=0.1",
    )
    request = RunRequest("generator-debug", tmp_path / "run", root / "cache", overrides=overrides)
    assert run_recipe(request, (), _quiet).num_samples >= 6
    more = replace(request, resume=True, overrides=("trainer.num_steps=3",))
    assert run_recipe(more, (), _quiet).step == 3
    lines = (request.out / "metrics.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["event"] == "train"]
    assert [row["step"] for row in rows] == [1, 2, 3]
    for row in rows:
        assert row["target_tokens_per_s"] > row["samples_per_s"] > 0
        assert row["mfu"] == pytest.approx(row["flops_per_s"] / 1e11, abs=1e-6)
        assert 0 < row["time_padding"] < row["time_useful"] < 1
    with pytest.raises(InvalidInput, match=r"packing\.max_tokens"):
        run_recipe(replace(more, overrides=("packing.max_tokens=79",)), (), _quiet)


def test_training_encodes_its_own_samples(root: Path, tmp_path: Path) -> None:
    overrides = (
        f"vae={root}/tiny/vae",
        'data.formats=[{"width": 32, "height": 32, "num_frames": 5, "fps": 8.0}]',
        'data.weights={"C20": 1.0}',
        "data.count=4",
        "data.shard_samples=4",
        "held_out=2",
        "previews=1",
        "batch_size=2",
        "encoding=online",
        "trainer.num_steps=2",
        "trainer.validate_every=2",
    )
    request = RunRequest("generator-debug", tmp_path / "run", tmp_path / "c", overrides=overrides)
    with pytest.raises(InvalidInput, match=r"trainer\.feed\.processes=true"):
        run_recipe(request, (), _quiet)
    loaders = ("trainer.feed.processes=true", "trainer.feed.depth=1")
    assert run_recipe(replace(request, overrides=(*overrides, *loaders)), (), _quiet).step == 2
    pinned = read_run(request.out).pinned
    assert "latents" not in pinned and len(pinned["world"]) == 16
    both = replace(request, out=tmp_path / "both", overrides=(*overrides, "batching=packed"))
    with pytest.raises(InvalidInput, match="packing needs to know all lengths"):
        run_recipe(both, (), _quiet)


def test_warm_start_takes_the_weights_and_refuses_other_shapes(root: Path, tmp_path: Path) -> None:
    still = (*VAE_SIZE, "trainer.num_steps=1", "trainer.optimizer.adamw_lr=0")
    still = (*still, "trainer.optimizer.muon_lr=0", "trainer.ema.decays=[0.5]")
    run_recipe(
        RunRequest(
            "vae-debug",
            tmp_path / "warm",
            root / "cache",
            init_from=root / "tiny/vae",
            overrides=still,
        ),
        (),
        _quiet,
    )
    weights = checkpoint.load_checkpoint(tmp_path / "warm").model
    source = load_component(root / "tiny/vae").state_dict
    name = "decoder.lift.conv.weight"
    assert torch.equal(weights[f"vae.{name}"], source[name])
    with pytest.raises(InvalidInput, match="another architecture"):
        run_recipe(
            RunRequest(
                "vae-debug",
                tmp_path / "other",
                root / "cache",
                init_from=root / "tiny/vae",
                overrides=(*VAE_SIZE, "model.pixel_channels=16"),
            ),
            (),
            _quiet,
        )
    assert not (tmp_path / "other" / "recipe.json").exists()


def test_a_run_goes_on_when_what_it_began_with_is_gone(root: Path, tmp_path: Path) -> None:
    start = tmp_path / "start"
    shutil.copytree(root / "tiny/vae", start)
    request = RunRequest(
        "vae-debug",
        tmp_path / "run",
        root / "cache",
        init_from=start,
        overrides=(*VAE_SIZE, "trainer.num_steps=1"),
    )
    run_recipe(request, (), _quiet)
    shutil.rmtree(start)
    more = replace(request, resume=True, overrides=("trainer.num_steps=2",))
    assert run_recipe(more, (), _quiet).step == 2
    saved = read_run(request.out)
    assert saved.started_from == start
    assert [stage["recipe"] for stage in saved.earlier] == ["vae-debug"]
    check_start(request.out, start)
    with pytest.raises(InvalidInput, match=r"holds a run that began with .*start, not with"):
        check_start(request.out, root / "tiny/vae")
    words = ["vae-debug", "--out", str(request.out), "--init-from", str(root / "tiny/vae")]
    for how in ("--resume", "--continue"):
        result = CliRunner().invoke(train.app, [*words, how])
        assert isinstance(result.exception, InvalidInput), result.output


def test_compiled_blocks_move_nothing_to_the_host() -> None:
    with pytest.raises(InvalidInput, match="leave offload_gb at 0"):
        replace(debug_generator(), compiled=True, offload_gb=1.0)
    with pytest.raises(InvalidInput, match=r"model\.patch must be 1 or more"):
        TransformerSize(patch=0)


def test_fine_tokens_start_from_coarse_ones_and_stay_fine(root: Path, tmp_path: Path) -> None:
    small = (
        f"vae={root}/tiny/vae", "data.count=4", "data.shard_samples=4", "batch_size=2",
        'data.formats=[{"width": 32, "height": 32, "num_frames": 5, "fps": 8.0}]',
        'data.weights={"C20": 1.0}', "held_out=2", "previews=1", "trainer.num_steps=1",
    )  # fmt: skip
    start = root / "tiny/generator"
    for name, changes in (("finer", ("model.patch=1",)), ("again", ())):
        run, made = tmp_path / name, tmp_path / f"{name}-component"
        request = RunRequest(
            "generator-debug", run, root / "cache", init_from=start, overrides=(*small, *changes)
        )
        run_recipe(request, (), _quiet)
        export_run(run, made, cache=root / "cache", report=_quiet)
        assert load_component(made).config["transformer"]["patch"] == 1
        start = made
    pipeline = GeneratorPipeline.open(start, root / "tiny/vae")
    assert pipeline.conditions.patch == 1
    assert pipeline.model.target_in.in_features == pipeline.model.config.latent_channels


def test_nothing_to_resume_or_export(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="holds no training run"):
        run_recipe(RunRequest("vae-debug", tmp_path, tmp_path, resume=True), (), _quiet)
    with pytest.raises(NotFound, match="holds no training run"):
        export_run(tmp_path, tmp_path / "out", cache=tmp_path, report=_quiet)


def test_a_start_that_is_none_is_said_before_data_are_made(tmp_path: Path) -> None:
    request = RunRequest("vae-debug", tmp_path / "run", tmp_path / "cache", init_from=tmp_path)
    with pytest.raises(NotFound, match=r"card\.json is missing"):
        run_recipe(request, (), _quiet)
    assert not (tmp_path / "cache").exists()


def test_damaged_recipe_file(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps({"recipe": "vae-debug"}))
    with pytest.raises(InvalidInput, match="damaged"):
        read_run(tmp_path)


class _Shown(Callback):
    def __init__(self) -> None:
        self.shown: list[tuple[Comparison, ...]] = []

    def on_validation(self, step: int, report: ValidationReport) -> None:
        self.shown.append(report.comparisons)


def test_validation_compares_with_what_the_run_started_from(root: Path, tmp_path: Path) -> None:
    """After an interruption too; prompts, noise and rivals' clips stay the same, our own do not."""
    start = root / "tiny/generator"
    request = RunRequest(
        "generator-debug",
        tmp_path / "run",
        root / "cache",
        init_from=start,
        overrides=(
            f"vae={root}/tiny/vae",
            "data.count=4",
            "data.shard_samples=4",
            'data.formats=[{"width": 32, "height": 32, "num_frames": 5, "fps": 8.0}]',
            'data.weights={"C20": 1.0}',
            "held_out=2",
            "previews=2",
            "batch_size=2",
            "trainer.num_steps=1",
            "trainer.checkpoint_every=1",
        ),
    )
    seen = _Shown()
    files = ValidationFiles(request.out)
    run_recipe(request, (seen, files), _quiet)
    again = replace(request, resume=True, init_from=None, overrides=("trainer.num_steps=2",))
    run_recipe(again, (seen, files), _quiet)
    (first, _), (later, _) = seen.shown
    assert list(first.columns) == ["truth", "this run", "started from"]
    assert first.caption == later.caption and first.caption.startswith("C20, noise 0: ")
    for name, frames in first.columns.items():
        assert frames.shape == (5, 32, 32, 3)
        assert np.array_equal(frames, later.columns[name]) == (name != "this run")
    saved = sorted(path.name for path in (request.out / "validation").iterdir())
    assert saved == ["clips.mp4", "clips.png"]


def test_a_film_plays_in_step_and_holds_last_frames() -> None:
    grey = np.stack([np.full((16, 16, 3), 40 * t, np.uint8) for t in range(4)])
    shown = [Comparison("a", {"truth": grey, "this run": grey[:2]}), Comparison("b", {"x": grey})]
    film = comparison_film(shown, "title")
    assert len(film.frames_THWC) == 4
    changed = film.frames_THWC[3].astype(int) - film.frames_THWC[1].astype(int)
    # Two clips of 128 x 128 go on after the second frame; the short one and all texts stay.
    assert int((changed != 0).any(axis=2).sum()) == 2 * 128 * 128
    assert set(np.unique(changed)) == {0, 80}


def test_pictures_without_motion_are_no_film(tmp_path: Path) -> None:
    still = Comparison("a", {"truth": np.zeros((1, 4, 4, 3), np.uint8)})
    assert save_comparisons([still], tmp_path, "title") == [tmp_path / "clips.png"]
    assert save_comparisons([], tmp_path / "none", "title") == []
