"""``omnireel eval bench``: the benchmark of all capabilities."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnireel.cli.printing import err, out
from omnireel.shipped import SHIPPED_TINY

if TYPE_CHECKING:
    from omnireel.processes import Report

Weights = Annotated[
    Path | None, typer.Option(help="Folder with generator/ and vae/; default: shipped.")
]


def bench(
    weights: Weights = None,
    generator: Annotated[
        Path | None,
        typer.Option(
            help="Component folder of a generator to use instead of the one in --weights."
        ),
    ] = None,
    capability: Annotated[
        list[str] | None, typer.Option(help="Row of the table (repeatable); default: all.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="50 cases, two of each capability.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Denoising steps; default: the model's own.")
    ] = None,
    words: Annotated[
        str, typer.Option(help="precise, vague, or enhanced (vague, then rewritten).")
    ] = "precise",
    seed: Annotated[int, typer.Option(min=0, help="Noise seed.")] = 0,
    workers: Annotated[
        int, typer.Option(min=1, help="Number of processes, each with one thread.")
    ] = os.cpu_count() or 1,
    folder: Annotated[Path, typer.Option("--out", help="Run folder; rerun to resume.")] = Path(
        "out/bench"
    ),
    mlflow: Annotated[
        str, typer.Option(help="MLflow tracking address; 'off' writes files only.")
    ] = "sqlite:///runs/mlflow.db",
    upscale: Annotated[
        bool, typer.Option("--upscale", help="Also run super-resolution on the 50 quick cases.")
    ] = False,
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            help="Save scores beside the weights and in the model card (with --generator: in "
            "its card).",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print results.json instead of a table.")
    ] = False,
) -> None:
    """Run OmniBench: 600 fixed cases over 25 capabilities, each score beside floor and ceiling.

    Rows that the model was not trained for are measured too, and marked. An interrupted run goes
    on with the same command; scores do not depend on the number of workers.

    Example: omnireel eval bench --quick --capability C9 --weights omnireel/weights/tiny
    """
    from omnireel.errors import InvalidInput
    from omnireel.evaluate.bench.case_run import Model
    from omnireel.evaluate.bench.record import record_scores
    from omnireel.evaluate.bench.run import default_steps, read_manifest, read_records, run_bench
    from omnireel.evaluate.bench.suite import chosen
    from omnireel.evaluate.bench.tracking import log_results

    rows = tuple(capability or ())
    cases = chosen(rows, quick=quick)
    root = weights or SHIPPED_TINY
    if record and (quick or capability):
        raise InvalidInput(
            "scores are recorded for whole runs; leave --quick and --capability out",
            field="record",
        )
    made_by = generator or root / "generator"
    model = Model(made_by, root / "vae", steps or default_steps(made_by), words, seed)
    with progress() as report:
        run_bench(model, cases, folder, workers=workers, report=report)
    manifest = read_manifest(folder)
    if upscale:
        manifest["upscaling"] = _upscaling(root, rows, folder, workers)
    data = write_results(folder, read_records(folder, cases), manifest)
    if record:
        err().print(f"recorded in {record_scores(data, root, generator)}")
    if mlflow != "off":
        log_results(mlflow, data, folder / "results.json")
    if as_json:
        out().print_json(json.dumps(data))
    else:
        _print(data)
        out().print(str((folder / "index.html").resolve()))


def _upscaling(weights: Path, rows: tuple[str, ...], folder: Path, workers: int) -> dict[str, Any]:
    from omnireel.evaluate.bench.suite import chosen
    from omnireel.evaluate.bench.upscaling import run_upscaling

    with progress() as report:
        return run_upscaling(
            weights / "upscaler",
            weights / "vae",
            chosen(rows, quick=True),
            folder,
            workers=workers,
            report=report,
        )


def _print(data: dict[str, Any]) -> None:
    from omnireel.evaluate.bench.table import detail_table, scores_table

    out().print(scores_table(data["rows"]), markup=False)
    out().print("\n" + detail_table(data["rows"]), markup=False)
    mean = data["mean"]
    bounds = _interval(mean["span_interval"] or (), scale=100, form=".0f")
    share = "" if mean["span"] is None else f", {100 * mean['span']:.0f} % {bounds}of the span"
    out().print(
        f"\nmean score {mean['score']:.3f}{share}; {data['evaluations']:g} evaluations for a video"
    )
    if found := data.get("stated"):
        interval = _interval(found["interval"] or (), scale=100, form=".0f")
        span = "" if found["span"] is None else f"; {100 * found['span']:.0f} % of the span"
        out().print(
            f"of {found['facts']} facts that the words state {100 * found['score']:.0f} % "
            f"{interval}are shown{span}"
        )
    if found := data.get("upscaling"):
        closed = "" if found["closed"] is None else f"; {100 * found['closed']:.0f} % of the gap"
        out().print(
            f"super-resolution: interpolated {found['enlarged']:.2f} dB, from pixels alone "
            f"{found['pixels']:.2f} dB, result {found['result']:.2f} dB, autoencoder "
            f"{found['autoencoder']:.2f} dB{closed}"
        )
        for name, what in (
            ("input_gain", "inputs as large as results"),
            ("reference_gain", "references"),
        ):
            if by := found.get(name):
                out().print(f"{what} add {by[0]:+.2f} {_interval(by[1:], form='+.2f')}dB")
        for name, what in (("keeping", "with media that it may show"), ("others", "all others")):
            if part := found.get(name):
                closed = (
                    "" if part["closed"] is None else f", {100 * part['closed']:.0f} % of the gap"
                )
                out().print(
                    f"{what}: {part['enlarged']:.2f} -> {part['result']:.2f} of "
                    f"{part['autoencoder']:.2f} dB{closed}"
                )


def _interval(bounds: Sequence[float | None], *, scale: float = 1, form: str) -> str:
    """The bounds and a space; nothing where they are unknown."""
    shown = [format(scale * bound, form) for bound in bounds if bound is not None]
    return f"[{'..'.join(shown)}] " if shown else ""


def table(
    weights: Weights = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Show the recorded scores of weights, by default the shipped ones, row by row.

    Example: omnireel eval table
    """
    from omnireel.evaluate.bench.record import read_scores
    from omnireel.evaluate.bench.table import scores_table

    data, stale = read_scores(weights or SHIPPED_TINY)
    if stale:
        again = f"{stale}; run 'omnireel eval bench --record' again"
        err().print(f"out of date: {again}", style="yellow")
    if as_json:
        out().print_json(json.dumps([{**row, "stale": bool(stale)} for row in data["rows"]]))
        return
    out().print(scores_table(data["rows"]), markup=False)


def write_results(
    folder: Path, records: list[dict[str, Any]], manifest: dict[str, Any]
) -> dict[str, Any]:
    """Summarise the records of a run into its ``results.json`` and its page."""
    from omnireel.evaluate.bench.page import write_bench_page
    from omnireel.evaluate.bench.rows import summary_of
    from omnireel.files import atomic_write

    data = summary_of(records, manifest)
    atomic_write(folder / "results.json", (json.dumps(data, indent=1) + "\n").encode())
    write_bench_page(folder, records, data)
    return data


@contextmanager
def progress() -> Iterator[Report]:
    """A bar with the time to go; without a terminal, a line for every tenth part."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = err()
    said: set[int] = set()
    with Progress(
        TextColumn("cases"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("to go"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("cases", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)
            tenth = 10 * done // total
            if not console.is_terminal and tenth not in said:
                said.add(tenth)
                console.print(f"{done} of {total} cases")

        yield show
