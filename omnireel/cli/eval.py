"""``omnireel eval``: measure a model against what the world knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnireel.cli.arena import arena
from omnireel.cli.bench import bench, table
from omnireel.cli.devices import Device, present_device
from omnireel.cli.failures import failures
from omnireel.cli.gate import gate
from omnireel.cli.noise import noise
from omnireel.cli.printing import err, out
from omnireel.cli.prompts import prompts
from omnireel.shipped import SHIPPED_TINY

if TYPE_CHECKING:
    from omnireel.evaluate.cases import CaseConfig
    from omnireel.evaluate.makers import Maker
    from omnireel.evaluate.perception import Perception
    from omnireel.evaluate.quick import CaseResult, Evaluation, QuickProgress
    from omnireel.evaluate.wordings import Wording

app = typer.Typer(
    name="eval", help="Measure a model against what the world knows.", no_args_is_help=True
)


@app.callback()
def group() -> None:
    """Measure a model against what the world knows."""


app.command("gate")(gate)


@app.command("quick")
def quick(
    weights: Annotated[
        Path | None, typer.Option(help="Folder with generator/ and vae/; default: shipped.")
    ] = None,
    count: Annotated[int, typer.Option(min=2, max=1000, help="Held-in cases per capability.")] = 8,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Denoising steps; default: the model's own.")
    ] = None,
    capability: Annotated[
        list[str] | None,
        typer.Option(
            help="Row of the table (repeatable); default: all that the model was trained for."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed that selects a fixed set of cases.")] = 0,
    folder: Annotated[
        Path, typer.Option("--out", help="Folder for results.json and the sheets.")
    ] = Path("out/eval"),
    clear: Annotated[
        bool, typer.Option("--clear", help="Use clear scenes, mostly one subject in one style.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print results.json instead of a table.")
    ] = False,
    vague: Annotated[
        bool, typer.Option("--vague", help="Compare vague prompts without and with the enhancer.")
    ] = False,
    device: Device = "cpu",
) -> None:
    """Generate fixed cases of every capability and score them.

    Each score stands beside the same results held against other cases' facts (shuffled), the
    exact answer through the autoencoder (ceiling), and the exact answer itself (truth: what is
    missing there is the oracle's own error).

    Example: omnireel eval quick --capability C20 --capability C18 --count 16
    """
    from omnireel.evaluate.cases import CaseConfig
    from omnireel.evaluate.makers import PipelineMaker
    from omnireel.evaluate.perception import load_perception
    from omnireel.generate import GeneratorPipeline
    from omnireel.world.distribution import CLEAR_SCENES, SceneDistribution
    from omnireel.world.tasks import CAPABILITIES

    scenes = CLEAR_SCENES if clear else SceneDistribution()
    if capability:  # a wrong name is told before anything is loaded
        CaseConfig(tuple(capability), count=count, seed=seed)
    pipeline = GeneratorPipeline.load(weights or SHIPPED_TINY, present_device(device))
    trained = tuple(c for c in CAPABILITIES if c in pipeline.limits.capabilities)
    rows = tuple(capability or trained or CAPABILITIES)
    config = CaseConfig(rows, count=count, seed=seed, scenes=scenes)
    wordings = _wordings(vague)
    eyes = load_perception()
    maker = PipelineMaker(pipeline, steps or pipeline.defaults.num_inference_steps)
    folder.mkdir(parents=True, exist_ok=True)
    evaluation = _run(maker, eyes, config, wordings, folder)
    data = _save(
        evaluation, folder, {"version": pipeline.version, "steps": maker.num_inference_steps}
    )
    if as_json:
        out().print_json(json.dumps(data))
        return
    from omnireel.evaluate.report import table

    out().print(table(evaluation))
    out().print(str(folder.resolve()))


@app.command("upscaler")
def upscaler(
    weights: Annotated[
        Path | None, typer.Option(help="Folder with upscaler/ and vae/; default: shipped.")
    ] = None,
    count: Annotated[int, typer.Option(min=2, max=1000, help="Number of scenes.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Seed that selects a fixed set of scenes.")] = 0,
    folder: Annotated[
        Path, typer.Option("--out", help="Folder for upscaler.json and the sheet.")
    ] = Path("out/eval"),
) -> None:
    """Compare super-resolution with plain enlargement, in dB, on scenes known at both sizes.

    Base clips are exact, or worn as a generator's are. The ceiling is the exact answer through
    the super-resolver's last step.

    Example: omnireel eval upscaler --count 16
    """
    from omnireel.evaluate.cases import CaseConfig
    from omnireel.evaluate.upscaling import BASES, evaluate_upscaler, gain, means, upscaling_sheet
    from omnireel.files import atomic_write
    from omnireel.generate import UpscalePipeline
    from omnireel.media import write_png

    pipeline = UpscalePipeline.load(weights or SHIPPED_TINY)
    config = CaseConfig(("C20",), count=count, held_out_share=0.0, seed=seed)
    results = evaluate_upscaler(
        pipeline, config, on_progress=lambda done, total: err().print(f"{done} of {total}")
    )
    folder.mkdir(parents=True, exist_ok=True)
    data: dict[str, Any] = {"version": pipeline.version, "scenes": count, "seed": seed}
    for base in BASES:
        data[base] = means(results, base)
        for name, suffix in (("all pixels", ""), ("subjects", "_bodies")):
            found = data[base]
            change = gain(results, base, suffix)
            found[f"gain{suffix}"] = [change.estimate, *(change.bounds or (None, None))]
            out().print(
                f"{base} base, {name}: enlarged {found[f'enlarged{suffix}']:.2f} dB, "
                f"super-resolved {found[f'result{suffix}']:.2f} dB "
                f"({change.shown('+.2f')}), "
                f"autoencoder {found[f'autoencoder{suffix}']:.2f} dB"
            )
    atomic_write(folder / "upscaler.json", (json.dumps(data, indent=1) + "\n").encode())
    write_png(upscaling_sheet(results), folder / "upscaler.png")
    out().print(str(folder.resolve()))


def _wordings(vague: bool) -> tuple[Wording, ...]:
    from omnireel.evaluate.wordings import PRECISE, VAGUE, enhanced

    if not vague:
        return (PRECISE,)
    from omnireel.enhancer import open_enhancer

    return (VAGUE, enhanced(open_enhancer()))


def _run(
    maker: Maker,
    eyes: Perception,
    config: CaseConfig,
    wordings: tuple[Wording, ...],
    folder: Path,
) -> Evaluation:
    """Evaluate with a progress bar; each capability's sheet is there as soon as it is done."""
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from omnireel.evaluate.quick import evaluate_quick
    from omnireel.evaluate.report import capability_sheet
    from omnireel.media import write_png

    console = err()
    columns = (
        TextColumn("{task.description:<22}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("to go"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("loading", total=None)

        def show(progress: QuickProgress) -> None:
            bar.update(
                task, description=progress.what, completed=progress.done, total=progress.total
            )

        def keep(name: str, results: tuple[CaseResult, ...]) -> None:
            write_png(capability_sheet(name, results), folder / f"{name}.png")
            if not console.is_terminal:
                console.print(f"{name}: {len(results)} cases done")

        return evaluate_quick(
            maker, eyes, config, wordings=wordings, on_progress=show, on_capability=keep
        )


def _save(evaluation: Evaluation, folder: Path, model: Mapping[str, Any]) -> dict[str, Any]:
    from omnireel.evaluate.report import overview_sheet
    from omnireel.evaluate.summary import to_json
    from omnireel.files import atomic_write
    from omnireel.media import write_png

    data = {"model": dict(model), **to_json(evaluation)}
    write_png(overview_sheet(evaluation), folder / "overview.png")
    atomic_write(folder / "results.json", (json.dumps(data, indent=1) + "\n").encode())
    return data


app.command("bench")(bench)
app.command("prompts")(prompts)
app.command("table")(table)
app.command("arena")(arena)
app.command("noise")(noise)
app.command("failures")(failures)
