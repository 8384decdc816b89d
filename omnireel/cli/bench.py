"""``omnireel eval bench``: the benchmark of all capabilities."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnireel.cli.printing import err, out
from omnireel.shipped import SHIPPED_TINY

if TYPE_CHECKING:
    from omnireel.evaluate.bench.case_run import Words
    from omnireel.processes import Report

Weights = Annotated[
    Path | None, typer.Option(help="Folder with generator/ and vae/; default: shipped.")
]


def bench(
    weights: Weights = None,
    generator: Annotated[
        Path | None, typer.Option(help="Component folder instead of that among the weights.")
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
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes, each with one thread.")
    ] = os.cpu_count() or 1,
    folder: Annotated[
        Path, typer.Option("--out", help="Folder of the run; run again to go on.")
    ] = Path("out/bench"),
    mlflow: Annotated[
        str, typer.Option(help="MLflow tracking address; 'off' writes files only.")
    ] = "sqlite:///runs/mlflow.db",
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json, no table.")] = False,
) -> None:
    """Run OmniBench: 600 fixed cases over 25 capabilities, each score beside floor and ceiling.

    Rows that the model was not trained for are measured too, and marked. An interrupted run goes
    on with the same command; scores do not depend on the number of workers.

    Example: omnireel eval bench --quick --capability C9 --weights omnireel/weights/tiny
    """
    from omnireel.errors import InvalidInput
    from omnireel.evaluate.bench.case_run import Model
    from omnireel.evaluate.bench.run import default_steps, read_manifest, read_records, run_bench
    from omnireel.evaluate.bench.suite import chosen
    from omnireel.evaluate.bench.table import detail_table, scores_table

    if words not in ("precise", "vague", "enhanced"):
        raise InvalidInput(f"words are precise, vague or enhanced, not {words!r}", field="words")
    cases = chosen(tuple(capability or ()), quick=quick)
    root = weights or SHIPPED_TINY
    made_by = generator or root / "generator"
    kind: Words = words  # type: ignore[assignment]
    model = Model(made_by, root / "vae", steps or default_steps(made_by), kind, seed)
    with _progress() as report:
        run_bench(model, cases, folder, workers=workers, report=report)
    data = write_results(folder, read_records(folder, cases), read_manifest(folder))
    if mlflow != "off":
        from omnireel.evaluate.bench.tracking import log_results

        log_results(mlflow, data, folder / "results.json")
    if as_json:
        out().print_json(json.dumps(data))
        return
    out().print(scores_table(data["rows"]), markup=False)
    out().print("\n" + detail_table(data["rows"]), markup=False)
    out().print(f"\nmean score {data['mean']['score']:.3f}, {100 * data['mean']['span']:.0f} % of "
                f"the span; {data['evaluations']:g} evaluations for a video")  # fmt: skip
    out().print(str(folder.resolve()))


def write_results(
    folder: Path, records: list[dict[str, Any]], manifest: dict[str, Any]
) -> dict[str, Any]:
    """Summarise the records of a run into its ``results.json``."""
    from omnireel.evaluate.bench.rows import summary_of
    from omnireel.files import atomic_write

    data = summary_of(records, manifest)
    atomic_write(folder / "results.json", (json.dumps(data, indent=1) + "\n").encode())
    return data


@contextmanager
def _progress() -> Iterator[Report]:
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
