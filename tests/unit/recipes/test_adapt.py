"""From a folder of clips to an adapter: made once, resumable, and good for its base alone."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from omnireel.cli import data as data_cli
from omnireel.cli import models, train
from omnireel.errors import AlreadyExists, FailedPrecondition, IntegrityError, InvalidInput
from omnireel.generate import GenerationSettings, GeneratorPipeline
from omnireel.generate.adapters import merge_adapter
from omnireel.generate.components import load_transformer, weights_sha256
from omnireel.media import read_image
from omnireel.mvl import parse
from omnireel.recipes.adapt import AdaptRequest, adapt
from omnireel.recipes.export import export_run
from omnireel.recipes.run import RunRequest, run_recipe
from omnireel.registry import load_component, save_component
from omnireel.train import Callback
from omnireel.types import VideoFormat
from omnireel.world.lexicon import vocabulary
from tests.support.engines.random_weights import save_random_weights
from tests.support.shard_samples import clip_folder

RUNNER = CliRunner()
OFF = ("--mlflow", "off")
SETTINGS = GenerationSettings(VideoFormat(32, 32, 5, 8.0), seed=3, num_inference_steps=2)


def quiet(what: str, done: int, total: int) -> None:
    return None


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in ``tiny``, five clips in ``clips``."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("adapt")
    save_random_weights(root / "tiny")
    clip_folder(root / "clips", 5, count=9)
    (root / "clips" / "clip_4.txt").write_text("a silver zeppelin hovers\n")
    (root / "clips" / "notes.md").write_text("mine")
    return root


def request(root: Path, out: Path, *more: str) -> AdaptRequest:
    base = (f"base={root}/tiny/generator", f"vae={root}/tiny/vae")
    return AdaptRequest(
        root / "clips", out, root / "cache", "lora-debug", (*base, *more), "omnireel train lora"
    )


@pytest.fixture(scope="module")
def adapter(root: Path) -> Path:
    done = adapt(request(root, root / "run"), (), quiet)
    assert (done.result.step, done.ignored) == (4, ("notes.md",))
    assert done.adapter == root / "run" / "adapter"
    return done.adapter


@pytest.mark.parametrize("field", ["out", "cache"])
def test_a_run_inside_of_its_clips_is_refused(root: Path, field: str) -> None:
    inside = dataclasses.replace(
        request(root, root / "apart"), **{field: root / "clips" / "runs" / "look"}
    )
    with pytest.raises(InvalidInput, match=rf"--{field} .*look lies in the data"):
        adapt(inside, (), quiet)
    assert not (root / "clips" / "runs").exists()


def frames_of(pipeline: GeneratorPipeline) -> np.ndarray:
    return pipeline.generate(parse("a red ball rolls"), {}, SETTINGS).clip.frames_THWC


def test_the_adapter_holds_its_changes_and_its_base(root: Path, adapter: Path) -> None:
    component = load_component(adapter, kind="adapter")
    base = load_component(root / "tiny" / "generator")
    assert component.config["base"] == {
        "kind": "generator",
        "weights_sha256": weights_sha256(base),
    }
    assert component.config["lora"]["rank"] == 2
    assert all(".lora_" in name for name in component.state_dict)
    assert len(component.state_dict) == 2 * 4 * 2
    assert any(t.abs().max() > 0 for n, t in component.state_dict.items() if "lora_B" in n)
    assert {"loss", "loss_base"} <= component.card["scores"].keys()
    assert component.card["data"].startswith("5 samples of training shards")
    assert component.card["command"] == "omnireel train lora"
    assert "omnireel train lora" in (adapter / "README.md").read_text()


def test_the_base_is_left_as_it_was(root: Path, adapter: Path) -> None:
    base = load_component(root / "tiny" / "generator").state_dict
    saved = {p.name for p in (root / "run" / "checkpoints").iterdir()}
    assert "latest" in saved
    from omnireel.train.checkpoint import load_checkpoint

    weights = load_checkpoint(root / "run").model
    for name, tensor in base.items():
        assert torch.equal(weights[f"transformer.{name}"], tensor), name


def test_joined_and_merged_make_the_same_clip_and_another_than_the_base(
    root: Path, adapter: Path, tmp_path: Path
) -> None:
    tiny = root / "tiny"
    base, joined = GeneratorPipeline.load(tiny), GeneratorPipeline.load(tiny, adapter=adapter)
    assert joined.version == f"{base.version}+{weights_sha256(load_component(adapter))}"
    result = RUNNER.invoke(
        models.app, ["merge", str(adapter), str(tiny / "generator"), str(tmp_path / "merged")]
    )
    assert result.exit_code == 0, result.output
    network, component = load_transformer(tmp_path / "merged", "generator")
    for name, tensor in joined.model.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], tensor.bfloat16().float())
    changed = [
        name
        for name, tensor in base.model.state_dict().items()
        if not torch.equal(tensor, joined.model.state_dict()[name])
    ]
    assert len(changed) == 8 and all("attention" in n or "mlp" in n for n in changed)
    assert component.card["merged"]["base"] == base.version
    merged = GeneratorPipeline.open(tmp_path / "merged", tiny / "vae")
    assert merged.limits == base.limits
    assert frames_of(merged).shape == frames_of(joined).shape


def test_another_base_is_refused_in_one_sentence(adapter: Path, tmp_path: Path) -> None:
    other = save_random_weights(tmp_path / "other", seed=1)
    for load in (
        lambda: GeneratorPipeline.load(other, adapter=adapter),
        lambda: merge_adapter(adapter, other / "generator", tmp_path / "out"),
    ):
        with pytest.raises(IntegrityError, match="was trained on the generator with weights"):
            load()
    assert not (tmp_path / "out").exists()


def test_an_interrupted_run_goes_on_and_ends_the_same(
    root: Path, adapter: Path, tmp_path: Path
) -> None:
    class Killed(Callback):
        def on_checkpoint(self, step: int, folder: Path) -> None:
            if step == 2:
                raise KeyboardInterrupt

    again = request(root, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        adapt(again, (Killed(),), quiet)
    assert not (tmp_path / "run" / "adapter").exists()
    assert adapt(again, (), quiet).result.step == 4
    ends = [load_component(f).state_dict for f in (adapter, tmp_path / "run" / "adapter")]
    assert all(torch.equal(tensor, ends[1][name]) for name, tensor in ends[0].items())
    before = (tmp_path / "run" / "adapter" / "model.safetensors").read_bytes()
    assert adapt(again, (), quiet).result.step == 4
    assert (tmp_path / "run" / "adapter" / "model.safetensors").read_bytes() == before


def test_other_files_or_another_base_need_another_run(
    root: Path, adapter: Path, tmp_path: Path
) -> None:
    more = clip_folder(tmp_path / "clips", 2, count=9)
    changed = dataclasses.replace(request(root, root / "run"), data=more)
    with pytest.raises(AlreadyExists, match="other shards"):
        adapt(changed, (), quiet)
    packed = tmp_path / "packed"
    assert RUNNER.invoke(data_cli.app, ["pack", str(more), str(packed)]).exit_code == 0
    with pytest.raises(InvalidInput, match="begun with other samples"):
        adapt(dataclasses.replace(changed, data=packed), (), quiet)
    component = load_component(root / "tiny" / "generator", dtype=None)
    save_component(
        tmp_path / "generator",
        kind="generator",
        config=component.config,
        state_dict={n: t * 0.5 for n, t in component.state_dict.items()},
        card={},
    )
    with pytest.raises(InvalidInput, match="another configuration"):
        adapt(request(root, root / "run", f"base={tmp_path}/generator"), (), quiet)


def test_a_recipe_without_shards_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="omnireel train lora --data"):
        run_recipe(RunRequest("lora-debug", tmp_path, tmp_path), (), quiet)


def test_the_generator_recipe_learns_from_shards(root: Path, adapter: Path, tmp_path: Path) -> None:
    overrides = (
        f"shards={root}/run/shards",
        f"vae={root}/tiny/vae",
        "held_out=2",
        "previews=1",
        "trainer.num_steps=2",
        "trainer.validate_every=2",
    )
    out = RunRequest("generator-debug", tmp_path / "run", root / "cache", overrides=overrides)
    assert run_recipe(out, (), quiet).num_samples == 8
    export_run(out.out, tmp_path / "generator", cache=root / "cache", report=quiet)
    card = load_component(tmp_path / "generator").card
    assert "5 encoded samples of training shards" in card["data"]
    assert card["capabilities"] == ["C20"] and "loss" in card["scores"]
    assert not any("captions" in line for line in card["limits"])


def test_shards_are_learned_from_in_packs(root: Path, adapter: Path, tmp_path: Path) -> None:
    overrides = (
        f"shards={root}/run/shards",
        f"vae={root}/tiny/vae",
        "model.max_text_tokens=4",
        "shard_words=1",
        "held_out=1",
        "previews=0",
        "batching=packed",
        "packing.max_tokens=30",
        "trainer.accumulate=2",
        "trainer.num_steps=2",
    )
    out = RunRequest("generator-debug", tmp_path / "run", root / "cache", overrides=overrides)
    assert run_recipe(out, (), quiet).num_samples >= 4
    more = dataclasses.replace(out, resume=True, overrides=("trainer.num_steps=3",))
    assert run_recipe(more, (), quiet).step == 3
    with pytest.raises(InvalidInput, match="another vocabulary"):
        run_recipe(dataclasses.replace(more, overrides=("shard_words=0",)), (), quiet)
    export_run(out.out, tmp_path / "generator", cache=root / "cache", report=quiet)
    component = load_component(tmp_path / "generator")
    words = component.config["transformer"]["vocabulary"]
    assert tuple(words[:-1]) == vocabulary() and words[-1] in ("hovers", "silver", "zeppelin")
    assert any(line.startswith("Of 5 of its 5 captions") for line in component.card["limits"])
    online = dataclasses.replace(
        out, out=tmp_path / "other", overrides=(f"shards={root}/run/shards", "encoding=online")
    )
    with pytest.raises(InvalidInput, match="leave encoding at 'cache'"):
        run_recipe(online, (), quiet)


def test_the_command_line_from_a_folder_to_an_adapter(root: Path, tmp_path: Path) -> None:
    arguments = ["lora", "--data", str(root / "clips"), "--out", str(tmp_path / "run")]
    arguments += ["--cache", str(root / "cache"), *OFF]
    arguments += ["--init-from", str(root / "tiny" / "generator")]
    for field in ("trainer.num_steps=1", "previews=0", "workers=0", "batch_size=2"):
        arguments += ["--set", field]
    result = RUNNER.invoke(train.app, arguments)
    assert result.exit_code == 0, result.output
    assert f"adapter: {tmp_path}/run/adapter" in result.output
    assert "left out, no media: notes.md" in result.output
    config = json.loads((tmp_path / "run" / "recipe.json").read_text())["config"]
    assert config["vae"] == str(root / "tiny" / "vae")
    shown = RUNNER.invoke(models.app, ["show", str(tmp_path / "run" / "adapter")])
    assert "adapter, " in shown.output and "loss_base" in shown.output


def test_problems_come_one_a_line_and_nothing_is_written(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "clips", 3, count=9)
    (folder / "clip_0.txt").unlink()
    (folder / "clip_2.mp4").write_bytes(b"no clip")
    for app, arguments in (
        (data_cli.app, ["pack", str(folder), str(tmp_path / "out")]),
        (train.app, ["lora", "--data", str(folder), "--out", str(tmp_path / "out"), *OFF]),
    ):
        result = RUNNER.invoke(app, arguments)
        assert result.exit_code == 2
        lines = result.output.splitlines()
        assert [line.partition(":")[0] for line in lines if line.startswith("clip_")] == [
            "clip_0.mp4",
            "clip_2.mp4",
        ]
        assert "2 problems; nothing was written" in result.output
    assert not (tmp_path / "out").exists()


def test_shards_are_inspected(root: Path, adapter: Path, tmp_path: Path) -> None:
    shards = root / "run" / "shards"
    result = RUNNER.invoke(
        data_cli.app,
        ["inspect", str(shards), "--verify", "--count", "2", "--sheet", str(tmp_path / "s.png")],
    )
    assert result.exit_code == 0, result.output
    assert "5 samples in 1 shard," in result.output and "folder: clips" in result.output
    assert "every file matches" in result.output
    assert read_image(tmp_path / "s.png").frames_THWC.shape[1] > 200
    missing = RUNNER.invoke(data_cli.app, ["inspect", str(tmp_path)])
    assert "omnireel data pack" in str(missing.exception)
    (tmp_path / "shard-00000.parquet").touch()
    half = RUNNER.invoke(data_cli.app, ["inspect", str(tmp_path)])
    assert isinstance(half.exception, FailedPrecondition)
