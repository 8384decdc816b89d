"""``omnireel registry judge``, ``promote`` and ``rollback``: the way to be champion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from omnireel.cli.devices import Device, present_device
from omnireel.cli.printing import out
from omnireel.cli.registry_options import DEFAULT_MLFLOW, Mlflow, Reference

if TYPE_CHECKING:
    from omnireel.evaluate.gate import Measured
    from omnireel.registry.promotion import Promotion


def judge(
    reference: Reference,
    folder: Annotated[Path, typer.Option("--work", help="Folder for models and results.")],
    size: Annotated[str, typer.Option(help="Size whose gates apply: tiny.")] = "tiny",
    smoke: Annotated[bool, typer.Option(help="Use as few cases as the gates allow.")] = False,
    answer: Annotated[
        Path | None,
        typer.Option(help="Write 'passed' or 'refused' to this file, and exit with 0 either way."),
    ] = None,
    verdict_file: Annotated[
        Path | None, typer.Option("--out", help="Write the verdict, for 'registry promote'.")
    ] = None,
    device: Device = "cpu",
    mlflow: Mlflow = DEFAULT_MLFLOW,
) -> None:
    """Measure a version and the champion, and hold it against the bars of its part.

    Example: omnireel registry judge generator/4 --work runs/judged-4 --out runs/judged-4.json
    """
    from omnireel.cli.gate import conclude
    from omnireel.cli.printing import err
    from omnireel.recipes.release_gate import judge_release

    verdict = judge_release(
        reference, size, folder, smoke=smoke, device=present_device(device), tracking_uri=mlflow,
        report=err().print,
    )  # fmt: skip
    conclude(verdict, answer, verdict_file)


def promote(
    reference: Reference,
    results: Annotated[
        Path | None, typer.Option(help="results.json of 'omnireel eval quick'.")
    ] = None,
    verdict_file: Annotated[
        Path | None,
        typer.Option(
            "--verdict", help="Verdict of 'omnireel registry judge', instead of --results."
        ),
    ] = None,
    champion_results: Annotated[
        Path | None, typer.Option(help="results.json of the champion on the same cases.")
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(
            help="SCORE=VALUE: minimum lower bound, e.g. C20/recognisable=0.6 (repeatable)."
        ),
    ] = None,
    no_worse: Annotated[
        list[str] | None,
        typer.Option(help="SCORE=LOSS: maximum loss against the champion (repeatable)."),
    ] = None,
    gsb: Annotated[
        float | None, typer.Option(help="Minimum lower bound of GSB against the champion.")
    ] = None,
    min_count: Annotated[int, typer.Option(help="Minimum number of observations per score.")] = 8,
    tie_margin: Annotated[
        float | None,
        typer.Option(min=0.0, help="Largest difference of mean scores that GSB counts as a tie."),
    ] = None,
    mlflow: Mlflow = DEFAULT_MLFLOW,
) -> None:
    """Make a version the champion, if it passes the gate.

    Example: omnireel registry promote generator/4 --results new/results.json
    --champion-results old/results.json --require mean=0.5 --no-worse mean=0.01 --gsb 0.95
    """
    from omnireel.cli.parsing import named_numbers
    from omnireel.errors import InvalidInput
    from omnireel.evaluate.gate import GateConfig, decide
    from omnireel.registry.promotion import promote as promote_version

    if verdict_file is not None:
        from omnireel.recipes.release_gate import read_verdict

        judged = read_verdict(verdict_file)
        _print_promotion(promote_version(reference, judged, tracking_uri=mlflow))
        return
    if results is None:
        raise InvalidInput("give --results or --verdict; no scores were found", field="--results")
    config = GateConfig(
        named_numbers(require or (), "--require", "--require mean=0.5"),
        named_numbers(no_worse or (), "--no-worse", "--no-worse mean=0.01"),
        gsb,
        min_count,
    )
    measured = _measured(reference, results, champion_results, tie_margin, mlflow)
    verdict = decide(measured, config)
    for reason in verdict.reasons:
        mark, style = ("passed", "green") if reason.passed else ("failed", "bold red")
        out().print(Text.assemble((mark, style), f"  {reason.line}"))
    _print_promotion(promote_version(reference, verdict, tracking_uri=mlflow))


def rollback(
    name: Annotated[str, typer.Argument(help="Name of the model.")], mlflow: Mlflow = DEFAULT_MLFLOW
) -> None:
    """Restore the previous champion. Example: omnireel registry rollback generator."""
    from omnireel.registry.promotion import rollback as roll_back

    _print_promotion(roll_back(name, tracking_uri=mlflow))


def _print_promotion(done: Promotion) -> None:
    before = f" (before: {done.previous.ref})" if done.previous else " (the first one)"
    out().print(f"{done.version.name}@champion is {done.version.ref}{before}")


def _measured(
    reference: str, results: Path, champion_results: Path | None, tie_margin: float | None, uri: str
) -> Measured:
    """Scores of the candidate; with a champion, compared with it."""
    from omnireel.errors import InvalidInput
    from omnireel.evaluate.gate_scores import measure, read_results
    from omnireel.evaluate.summary import TIE_MARGIN
    from omnireel.registry.versions import Registry

    registry = Registry.open(uri)
    version = registry.resolve(reference)
    champion = registry.champion(version.name)
    if champion is not None and champion.number != version.number and champion_results is None:
        raise InvalidInput(
            f"{champion.ref} is the champion; measure it on the same cases with 'omnireel eval "
            "quick' and give its results with --champion-results",
            field="--champion-results",
        )
    margin = TIE_MARGIN if tie_margin is None else tie_margin
    theirs = read_results(champion_results) if champion_results else None
    return measure(read_results(results), theirs, tie_margin=margin)
