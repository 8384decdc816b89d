"""``omnireel data bench``: all checks against known truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omnireel.cli.run_output import data_report

if TYPE_CHECKING:
    from omnireel.data.bench.report import Bench


def bench(
    out: Annotated[Path, typer.Option(help="Folder for bench.json and bench.html.")] = Path(
        "data-bench"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="Run a tenth of it, in a minute.")] = False,
    count: Annotated[
        int | None,
        typer.Option(help="Number of good clips; about 20 variants are made of each.", min=4),
    ] = None,
    embedder: Annotated[
        Path | None, typer.Option(help="Embedder for tier 3; default: the tiny one of the world.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Number of processes.", min=1)] = 2,
    choose: Annotated[
        bool,
        typer.Option("--choose", help="First recompute the thresholds of the standard policy."),
    ] = False,
) -> None:
    """Corrupt good clips, ask every check, and report precision, recall and ROC.

    Thresholds are chosen on clips that are not reported on.

    Example: omnireel data bench --quick
    """
    from omnireel.data.bench.report import (
        QUICK,
        BenchConfig,
        choose_thresholds,
        run_bench,
        write_bench,
    )

    config = replace(QUICK if quick else BenchConfig(), workers=workers)
    if count is not None:
        config = replace(config, sources=count, copies=count, files=count, pairs=2 * count)
    if embedder is not None:
        config = replace(config, embedder=embedder)
    report = data_report()
    if choose:
        for name, bounds in choose_thresholds(config, report).items():
            typer.echo(f"{name:<14} {bounds} is kept")
        typer.echo("written; run the command again without --choose to judge them")
        return
    found = run_bench(config, report)
    data, page = write_bench(found, out)
    _print(found)
    typer.echo(f"{data}\n{page}")


def _print(found: Bench) -> None:
    typer.echo(f"{'check':<14} {'precision':<22} {'recall':<22} {'ROC':<6} good/bad")
    for j in found.judgements:
        typer.echo(
            f"{j.check:<14} {j.precision!s:<22} {j.recall!s:<22} {j.auc:<6.3f} {j.good}/{j.bad}"
        )
    copies = found.copies
    typer.echo(
        f"near-duplicates: {copies.found} of {copies.pairs} copies found; {copies.wrong} of "
        f"{copies.strangers} pairs of strangers taken for copies"
    )
