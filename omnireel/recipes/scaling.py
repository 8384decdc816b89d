"""A scaling study: one recipe at several sizes, measured at several amounts of compute.

``out/<size>/run`` is one training run per size from random weights, at a learning rate that does
not fall, so that every point of it is an end; ``out/<size>/<steps>`` holds what it was exported to
there and its ``results.json``. What is there is not done again, and an interrupted run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from omnireel.errors import FailedPrecondition
from omnireel.evaluate.bootstrap import Interval
from omnireel.evaluate.cases import CaseConfig
from omnireel.evaluate.gate_scores import measure, read_results
from omnireel.recipes import build_recipe
from omnireel.recipes.base import Report
from omnireel.recipes.export import export_run
from omnireel.recipes.generator import GeneratorRecipe
from omnireel.recipes.ladder_report import metric_rows
from omnireel.recipes.ladder_scores import score_component
from omnireel.recipes.run import RunRequest, run_recipe
from omnireel.recipes.transformer_size import TransformerSize
from omnireel.registry import load_component, write_text_atomic
from omnireel.train import Callback
from omnireel.train.checkpoint import latest_checkpoint


@dataclass(frozen=True)
class SizeOfStudy:
    """One network, and after how many steps it is measured."""

    name: str
    network: TransformerSize
    steps: tuple[int, ...]


@dataclass(frozen=True)
class ScalingStudy:
    """Sizes of one recipe, each given about the same compute: the smaller, the more samples."""

    recipe: str = "generator-tiny-all"
    sizes: tuple[SizeOfStudy, ...] = (
        SizeOfStudy("small", TransformerSize(width=128, depth=4, heads=2), (768, 1536, 2304)),
        SizeOfStudy("medium", TransformerSize(width=192, depth=5, heads=3), (384, 768, 1152)),
        SizeOfStudy("tiny", TransformerSize(), (192, 384, 576)),
    )
    settings: tuple[str, ...] = (
        "trainer.max_minutes=null",
        "trainer.schedule.kind=constant",
        "trainer.validate_every=1000000",
        "previews=0",
    )
    cases: CaseConfig = field(default_factory=lambda: CaseConfig(count=4, held_out_share=0.5))


SMOKE_STUDY = ScalingStudy(
    recipe="generator-debug",
    sizes=(
        SizeOfStudy("small", TransformerSize(width=32, depth=1, heads=1), (2, 4)),
        SizeOfStudy("large", TransformerSize(width=64, depth=2, heads=2), (2, 4)),
    ),
    settings=("trainer.schedule.kind=constant",),
    cases=CaseConfig(capabilities=("C20",), count=2, held_out_share=0.0),
)
"""To try the joints; the numbers mean nothing."""


@dataclass(frozen=True)
class ScalingPoint:
    """One size after so much training."""

    size: str
    parameters: int
    steps: int
    samples: int
    flops: float
    """Useful operations of the training so far, forward and backward."""
    held_out_loss: float
    score: Interval
    """Mean score over the cases."""


def run_study(
    study: ScalingStudy,
    out: Path,
    cache: Path,
    callbacks: Callable[[Path], tuple[Callback, ...]],
    report: Report,
    *,
    command: str = "",
    on_point: Callable[[ScalingPoint], None] = lambda point: None,
) -> list[ScalingPoint]:
    """Train and measure what is not there yet, the first point of every size first; then write
    ``out/points.json``.

    Raises:
        FailedPrecondition: a run was stopped; the same call goes on.

    """
    points = []
    for turn in range(max(len(size.steps) for size in study.sizes)):
        for size in study.sizes:
            if turn < len(size.steps):
                run = out / size.name / "run"
                folder = out / size.name / str(size.steps[turn])
                if not (folder / "generator" / "card.json").is_file():
                    _train(study, size, size.steps[turn], run, cache, callbacks, report, command)
                    export_run(run, folder / "generator", cache=cache, report=report)
                point = _measured(study, size.name, run, folder)
                on_point(point)
                points.append(point)
    text = json.dumps([asdict(point) for point in points], indent=1)
    write_text_atomic(out / "points.json", text + "\n")
    return points


def _train(
    study: ScalingStudy,
    size: SizeOfStudy,
    steps: int,
    run: Path,
    cache: Path,
    callbacks: Callable[[Path], tuple[Callback, ...]],
    report: Report,
    command: str,
) -> None:
    network = tuple(
        f"model.{name}={json.dumps(value)}" for name, value in asdict(size.network).items()
    )
    request = RunRequest(
        study.recipe, run, cache,
        resume=latest_checkpoint(run) is not None,
        overrides=(*study.settings, *network, f"trainer.num_steps={steps}"),
        command=command,
    )  # fmt: skip
    if run_recipe(request, callbacks(run), report).stopped_early:
        raise FailedPrecondition(f"{run} was stopped; run the same command again to resume")


def _measured(study: ScalingStudy, size: str, run: Path, folder: Path) -> ScalingPoint:
    component = load_component(folder / "generator")
    card = component.card
    recipe = build_recipe(study.recipe)
    assert isinstance(recipe, GeneratorRecipe)
    results = score_component(
        folder / "generator", recipe.vae, folder / "results.json", study.cases
    )
    rows = [row for row in metric_rows(run, "train") if row["step"] <= card["steps"]]
    per_sample = [row["flops_per_s"] / row["samples_per_s"] for row in rows]
    return ScalingPoint(
        size=size,
        parameters=card["num_parameters"],
        steps=card["steps"],
        samples=card["samples"],
        flops=card["samples"] * sum(per_sample) / len(per_sample),
        held_out_loss=card["scores"]["loss"],
        score=measure(read_results(results), None).scores["mean"],
    )
