from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from omnireel.errors import FailedPrecondition, InvalidInput, NotFound
from omnireel.generate import GeneratorPipeline, UpscalePipeline
from omnireel.recipes.base import Workplace
from omnireel.recipes.climb import ClimbConfig, RungResult, climb
from omnireel.recipes.distillation_tiny import debug_trajectory
from omnireel.recipes.ladder import Ladder, Rung, build_ladder
from omnireel.recipes.run import read_run
from omnireel.recipes.upscaler import debug_upscaler
from omnireel.recipes.upscaler_distillation import UpscalerDistillationRecipe
from omnireel.registry import load_component, save_component, verify
from omnireel.train import Callback, StepEvent
from tests.support.engines.random_weights import save_random_weights

FORMAT = 'data.formats=[{"width": 32, "height": 32, "num_frames": 5, "fps": 8.0}]'
VAE = Rung(
    "vae", "latents", "vae", "vae-debug", "vae-debug",
    smoke_overrides=(
        FORMAT, "data.count=4", "data.shard_clips=4", "held_out_per_format=1",
        "trainer.num_steps=2", "trainer.checkpoint_every=1",
    ),
)  # fmt: skip
SMALL = (
    FORMAT, "data.count=4", "data.shard_samples=4", 'data.weights={"C20": 1.0}', "held_out=2",
    "previews=1", "batch_size=2", "trainer.num_steps=3", "trainer.checkpoint_every=1",
)  # fmt: skip
FIRST = Rung("first", "a", "generator", "generator-debug", "generator-debug", smoke_overrides=SMALL)
SECOND = Rung(
    "second", "b", "generator", "generator-debug", "generator-debug", "first",
    smoke_overrides=SMALL,
)  # fmt: skip
LADDER = Ladder("test", (VAE, FIRST, SECOND))


class PullsThePlug(Callback):
    """Dies after a step, as a killed process does: without a word to the trainer."""

    def __init__(self, run: Path, after: int) -> None:
        self.armed, self.after = run.parent.name == "second", after

    def on_step(self, event: StepEvent) -> None:
        if self.armed and event.step >= self.after:
            raise KeyboardInterrupt


def _quiet(what: str, done: int, total: int) -> None:
    return None


def _climb(
    root: Path, ladder: Ladder = LADDER, *, last: str = "", plug: int | None = None
) -> list[RungResult]:
    config = ClimbConfig(root / "out", root / "cache", smoke=True, last=last)
    return climb(
        ladder, config, lambda run: (PullsThePlug(run, plug),) if plug else (), _quiet, command="x"
    )


def test_a_killed_climb_goes_on_and_repeats_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _climb(tmp_path, plug=2)
    run = tmp_path / "out/second/run"
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out/first").rglob("*")}
    results = _climb(tmp_path)
    assert [r.was_done for r in results] == [True, True, False]
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "out/first").rglob("*")}
    steps = [json.loads(x) for x in (run / "metrics.jsonl").read_text().splitlines()]
    assert any(row["event"] == "start" and row["step"] > 0 for row in steps)
    assert set(results[-1].parts) == {"vae", "generator"}
    GeneratorPipeline.load(tmp_path / "out/model")
    whole = tmp_path / "whole"
    expected = _climb(whole)[-1].component
    assert verify(expected)["sha256"] == verify(results[-1].component)["sha256"]


def test_a_changed_rung_is_noticed(tmp_path: Path) -> None:
    _climb(tmp_path, last="first")
    longer = Rung(
        "first", "a", "generator", "generator-debug", "generator-debug",
        smoke_overrides=(*SMALL, "trainer.num_steps=4"),
    )  # fmt: skip
    with pytest.raises(FailedPrecondition, match=r"trainer\.num_steps"):
        _climb(tmp_path, Ladder("test", (VAE, longer)))
    with pytest.raises(NotFound, match="third"):
        _climb(tmp_path, last="third")


def test_a_climb_begins_in_the_middle_from_a_model_that_is_there(tmp_path: Path) -> None:
    _climb(tmp_path)
    model = tmp_path / "out/model"
    config = ClimbConfig(
        tmp_path / "again", tmp_path / "cache", smoke=True, first="second", start=model,
        settings=("second.trainer.num_steps=1",),
    )  # fmt: skip
    heard: list[str] = []

    def hear(result: RungResult) -> bool:
        heard.append(result.rung.name)
        return True

    results = climb(LADDER, config, lambda run: (), _quiet, hear)
    assert heard == ["given-vae", "given-generator", "second"]
    assert results[-1].stands_on["reference"] == results[1].component
    assert verify(results[1].component)["sha256"] == verify(model / "generator")["sha256"]
    run = read_run(tmp_path / "again/second/run")
    assert run.recipe.trainer.num_steps == 1 and run.init_from == str(results[1].component)
    again = climb(LADDER, config, lambda run: (), _quiet)
    assert all(r.was_done for r in again)


def test_a_rung_that_is_not_accepted_is_set_aside(tmp_path: Path) -> None:
    third = replace(SECOND, name="third", start="second")
    ladder = Ladder("test", (VAE, FIRST, SECOND, third))
    config = ClimbConfig(tmp_path / "out", tmp_path / "cache", smoke=True)

    def all_but_second(result: RungResult) -> bool:
        return result.rung.name != "second"

    results = climb(ladder, config, lambda run: (), _quiet, all_but_second)
    assert [r.kept for r in results] == [True, True, False, True]
    first = results[1].component
    assert results[3].stands_on["reference"] == first and results[2].parts["generator"] == first
    again = climb(ladder, config, lambda run: (), _quiet, all_but_second)
    assert all(r.was_done for r in again) and again[3].stands_on["reference"] == first


def test_what_a_climb_in_the_middle_needs_is_said(tmp_path: Path) -> None:
    place = (tmp_path / "out", tmp_path / "cache")
    with pytest.raises(InvalidInput, match="--start"):
        ClimbConfig(*place, first="second")
    with pytest.raises(NotFound, match="no vae"):
        climb(LADDER, ClimbConfig(*place, first="first", start=tmp_path), lambda r: (), _quiet)
    with pytest.raises(InvalidInput, match="did you mean second"):
        climb(LADDER, ClimbConfig(*place, settings=("secnd.held_out=1",)), lambda r: (), _quiet)


def test_a_field_that_is_newer_than_a_climb_changes_nothing_at_its_default(tmp_path: Path) -> None:
    _climb(tmp_path, last="first")
    path = tmp_path / "out/first/plan.json"
    plan = json.loads(path.read_text())
    del plan["settings"]["trainer.clip_norm"]
    path.write_text(json.dumps(plan))
    assert all(r.was_done for r in _climb(tmp_path, last="first"))
    del plan["settings"]["held_out"]  # overridden: not its default
    path.write_text(json.dumps(plan))
    with pytest.raises(FailedPrecondition, match="held_out"):
        _climb(tmp_path, last="first")


def test_ladders_are_checked() -> None:
    with pytest.raises(InvalidInput, match="not an earlier rung"):
        Ladder("test", (SECOND, FIRST))
    with pytest.raises(InvalidInput, match="fall back"):
        Ladder("test", (replace(FIRST, optional=True),))
    with pytest.raises(InvalidInput, match="two rungs"):
        Ladder("test", (VAE, VAE))
    with pytest.raises(InvalidInput, match="tiny"):
        build_ladder("huge")


def test_every_rung_of_the_tiny_ladder_has_recipes() -> None:
    from omnireel.recipes import RECIPES

    for rung in build_ladder("tiny").rungs:
        assert rung.recipe in RECIPES and rung.smoke_recipe in RECIPES


def test_a_student_comes_out_of_the_whole_generator_ladder(tmp_path: Path) -> None:
    pairs = (
        'pairs.format={"width": 32, "height": 32, "num_frames": 5, "fps": 8.0}',
        "pairs.prompts=2", "held_out=1", "trainer.num_steps=2", "trainer.validate_every=2",
    )  # fmt: skip
    distilled = (*SMALL[:4], "held_out=2", "trainer.num_steps=2", "trainer.validate_every=2")
    rungs = (
        Rung("preference", "c", "generator", "preference-debug", "preference-debug", "first",
             smoke_overrides=pairs),
        Rung("trajectory", "d", "generator", "trajectory-debug", "trajectory-debug", "preference",
             "preference", smoke_overrides=distilled),
        Rung("distribution", "e", "generator", "distribution-debug", "distribution-debug",
             "trajectory", "preference", smoke_overrides=distilled),
    )  # fmt: skip
    ladder = Ladder("test", (VAE, FIRST, *rungs))
    results = _climb(tmp_path, ladder)
    hashes = [verify(r.component)["sha256"]["model.safetensors"] for r in results]
    assert len(set(hashes)) == len(hashes)
    assert results[-1].stands_on["teacher"] == results[2].component
    student = GeneratorPipeline.load(tmp_path / "out/model")
    assert student.defaults.num_inference_steps == 2 and student.defaults.guidance.text == 1.0
    assert student.limits.guidance_baked_in
    teacher = GeneratorPipeline.open(results[2].component, results[0].component)
    assert not teacher.limits.guidance_baked_in
    assert all(r.was_done for r in _climb(tmp_path, ladder))


def test_a_super_resolver_is_distilled_in_its_own_windows(tmp_path: Path) -> None:
    pairs = (*SMALL[:3], *SMALL[4:7], "trainer.num_steps=2", "trainer.validate_every=2")
    rungs = (
        Rung("upscaler", "c", "upscaler", "upscaler-debug", "upscaler-debug", "first",
             smoke_overrides=pairs),
        Rung("distilled", "d", "upscaler", "upscaler-student-debug", "upscaler-student-debug",
             "upscaler", "upscaler", smoke_overrides=pairs),
    )  # fmt: skip
    results = _climb(tmp_path, Ladder("test", (VAE, FIRST, *rungs)))
    teacher, student = (load_component(r.component) for r in results[-2:])
    assert set(results[-1].stands_on) == {"vae", "reference", "teacher"}
    assert results[-1].stands_on["teacher"] == results[-2].component
    assert student.config["upscale"] == teacher.config["upscale"]
    assert (
        student.card["sha256"]["model.safetensors"] != teacher.card["sha256"]["model.safetensors"]
    )
    assert student.card["title"] == "Omnireel super-resolver, distilled"
    served = UpscalePipeline.load(tmp_path / "out/model")
    assert served.defaults.num_inference_steps == 1 and served.limits.guidance_baked_in
    recipe = read_run(tmp_path / "out/distilled/run").recipe
    assert isinstance(recipe, UpscalerDistillationRecipe)
    assert recipe.windows() == served.config.window == debug_upscaler().upscale.window


def test_guidance_is_not_baked_in_twice(tmp_path: Path) -> None:
    weights = save_random_weights(tmp_path / "weights")
    teacher = load_component(weights / "generator")
    limits = {**teacher.config["limits"], "guidance_baked_in": True}
    save_component(
        tmp_path / "student",
        kind="generator",
        config={**teacher.config, "limits": limits},
        state_dict=teacher.state_dict,
        card={},
    )
    recipe = replace(debug_trajectory(), teacher=tmp_path / "student", vae=weights / "vae")
    with pytest.raises(InvalidInput, match="student itself") as caught:
        recipe.assemble(Workplace(tmp_path, _quiet), None)
    assert caught.value.violations[0].field == "objective.guidance"


def test_a_card_tells_every_stage_before(tmp_path: Path) -> None:
    results = _climb(tmp_path)
    card = load_component(results[-1].component).card
    (stage,) = card["earlier"]
    assert stage["recipe"] == "generator-debug" and stage["command"] == "x"
    assert stage["steps"] == 3 and stage["samples"] == 6
    text = (results[-1].component / "README.md").read_text()
    assert "## Earlier stages" in text and "steps 3" in text
    assert "earlier" not in load_component(results[1].component).card
