"""``omnireel eval gate`` and ``omnireel train gate``: a verdict as lines, as JSON, as exit status.

A workflow either stops at a refusal (exit status 1) or branches on it (``--answer FILE``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from omnireel.cli.printing import out

if TYPE_CHECKING:
    from omnireel.registry.verdict import GateVerdict

PASSED, REFUSED = "passed", "refused"

Answer = Annotated[
    Path | None,
    typer.Option(help=f"Write '{PASSED}' or '{REFUSED}' to this file, and exit with 0 either way."),
]
VerdictFile = Annotated[Path | None, typer.Option("--out", help="Write the verdict as JSON.")]


def gate(
    results: Annotated[Path, typer.Argument(help="results.json of 'omnireel eval quick'.")],
    against: Annotated[
        Path | None, typer.Option(help="results.json of another model on the same cases.")
    ] = None,
    opponent: Annotated[str, typer.Option(help="Label of that model in the output.")] = "champion",
    require: Annotated[
        list[str] | None,
        typer.Option(
            help="SCORE=VALUE: minimum lower bound, e.g. C20/recognisable=0.6 (repeatable)."
        ),
    ] = None,
    no_worse: Annotated[
        list[str] | None,
        typer.Option(help="SCORE=LOSS: maximum loss against the other model (repeatable)."),
    ] = None,
    gsb: Annotated[float | None, typer.Option(help="Minimum lower bound of GSB.")] = None,
    min_count: Annotated[int, typer.Option(help="Minimum number of observations per score.")] = 8,
    answer: Answer = None,
    verdict_file: VerdictFile = None,
) -> None:
    """Hold measured scores against bars; nothing is promoted.

    Example: omnireel eval gate new/results.json --against old/results.json --gsb 0.95
    """
    from omnireel.cli.parsing import named_numbers
    from omnireel.evaluate.gate import GateConfig, decide
    from omnireel.evaluate.gate_scores import measure, read_results

    config = GateConfig(
        named_numbers(require or (), "--require", "--require mean=0.5"),
        named_numbers(no_worse or (), "--no-worse", "--no-worse mean=0.01"),
        gsb,
        min_count,
    )
    measured = measure(read_results(results), read_results(against) if against else None)
    conclude(decide(measured, config, opponent), answer, verdict_file)


def rung_gate(
    folder: Annotated[Path, typer.Argument(help="Folder of a climb.")],
    rung: Annotated[str, typer.Argument(help="Finished rung to judge.")],
    size: Annotated[str, typer.Option(help="Size of the ladder: tiny.")] = "tiny",
    answer: Answer = None,
    verdict_file: VerdictFile = None,
) -> None:
    """Whether a climb may go on from a rung: whole, finite, and not fallen.

    Example: omnireel train gate runs/ladder-tiny clips
    """
    from omnireel.recipes.ladder import build_ladder
    from omnireel.recipes.rung_gate import judge_rung

    conclude(judge_rung(folder, build_ladder(size), rung), answer, verdict_file)


def conclude(verdict: GateVerdict, answer: Path | None, verdict_file: Path | None) -> None:
    """Print a verdict, write what was asked for, and exit with 1 for a refusal without a file."""
    for reason in verdict.reasons:
        mark, style = ("passed", "green") if reason.passed else ("failed", "bold red")
        out().print(Text.assemble((mark, style), f"  {reason.line}"))
    word = PASSED if verdict.passed else REFUSED
    if verdict_file is not None:
        data = {"verdict": word, "reasons": verdict.lines, "candidate": verdict.candidate}
        write_answer(verdict_file, json.dumps({**data, "opponent": verdict.champion}, indent=1))
    if answer is not None:
        write_answer(answer, word)
    elif not verdict.passed:
        raise typer.Exit(1)


def write_answer(path: Path, text: str) -> None:
    """What a step of a workflow hands on; the folder is made when it is not there."""
    from omnireel.files import atomic_write

    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, text.encode())
