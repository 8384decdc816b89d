"""``omnireel train ladder`` and ``omnireel train report``: a whole model, and how it came about."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from omnireel.cli.gate import write_answer
from omnireel.cli.ladder_jobs import as_jobs, below, check_widths
from omnireel.cli.launch.recipe import Job, Launcher, launcher_of
from omnireel.cli.parsing import several_settings
from omnireel.cli.printing import err, out
from omnireel.cli.run_output import data_report, run_callbacks

if TYPE_CHECKING:
    from omnireel.recipes.climb import RungResult
    from omnireel.recipes.ladder import Ladder
    from omnireel.recipes.ladder_promotion import PartOutcome
    from omnireel.registry.versions import ModelVersion

Size = Annotated[str, typer.Option(help="Size of the ladder: tiny.")]


def ladder(
    size: Size = "tiny",
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of all rungs; default: runs/ladder-<size>."),
    ] = None,
    cache: Annotated[
        Path, typer.Option(help="Folder for rendered and encoded data, shared by all runs.")
    ] = Path("runs/cache"),
    smoke: Annotated[
        bool, typer.Option(help="Run a few steps of every rung, to smoke-test the pipeline.")
    ] = False,
    last: Annotated[str, typer.Option(help="Stop after this rung; nothing is promoted.")] = "",
    first: Annotated[
        str, typer.Option(help="Start with this rung, from the parts of --start.")
    ] = "",
    start: Annotated[
        Path | None,
        typer.Option(
            help="Model folder to start from, e.g. omnireel/weights/tiny; default: every "
            "part starts from random weights."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="rung.field=value, e.g. tasks.trainer.max_minutes=30, or *.field=value for "
            "every rung; repeatable, or several separated by spaces.",
        ),
    ] = None,
    cases: Annotated[
        int, typer.Option(help="Cases per capability on which each generator rung is scored.")
    ] = 0,
    curve: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            help="Also score students and their teacher with this number of steps (repeatable).",
        ),
    ] = None,
    mlflow: Annotated[
        str, typer.Option(help="MLflow tracking address; 'off' logs only metrics.jsonl.")
    ] = "sqlite:///runs/mlflow.db",
    launcher: Launcher = "local",
    job: Job = None,
    copy_to: Annotated[
        str,
        typer.Option(
            help="Object store prefix to copy every rung's checkpoints to, each below its name, "
            "e.g. s3://bucket/ladder-7?endpoint=..."
        ),
    ] = "",
    result: Annotated[
        Path | None, typer.Option(help="Write the last rung's result as JSON.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Also put the newest parts into this new folder.")
    ] = None,
) -> None:
    """Train a whole model, rung by rung, and promote what passes the gate.

    A climb that was interrupted goes on where it was. At the top the last version of each part is
    measured; it becomes champion when it passes every bar, and what it does not pass is shown. With
    --cases, quality and preference tuning that made the model worse are set aside.

    Example: omnireel train ladder --smoke --out runs/smoke
    """
    from omnireel.recipes.climb import ClimbConfig, climb
    from omnireel.recipes.ladder import build_ladder
    from omnireel.recipes.ladder_versions import climb_run

    rungs = build_ladder(size)
    landing = _Landing(rungs, f"{size}-smoke" if smoke else size, mlflow, cases, curve or ())
    folder = folder or Path("runs") / f"ladder-{size}{'-smoke' if smoke else ''}"
    told = several_settings(settings or ())
    elsewhere = launcher_of(launcher, job) == "trainjob"
    if elsewhere:
        check_widths(rungs, folder, (first, last), told, job or (), smoke=smoke)
    above = climb_run(folder, landing.name, mlflow) if mlflow != "off" else ""
    results = climb(
        rungs,
        ClimbConfig(folder, cache, smoke, first, last, start, told),
        lambda run: run_callbacks(
            mlflow, run, name=run.parent.name, parent=above, copy_to=below(copy_to, run)
        ),
        data_report(),
        landing,
        command=shlex.join(["omnireel", *sys.argv[1:]]),
        run=as_jobs(mlflow, above, job or (), copy_to) if elsewhere else None,
    )
    if cases:
        _write_table(rungs, results, folder)
    typer.echo(f"model: {folder / 'model'}")
    if model is not None:
        shutil.copytree(folder / "model", model, dirs_exist_ok=True)
    if result is not None:
        _write_result(results[-1], landing.versions, result)
    if last and last != rungs.rungs[-1].name:
        typer.echo(f"stopped after {last}: the gate stands at the top of the ladder")
    elif mlflow == "off":
        typer.echo("nothing can be promoted: --mlflow off keeps no versions")
    else:
        _promote(size, smoke, results, landing.versions, folder / "gate", mlflow)


def rung_names(size: str) -> tuple[str, ...]:
    """The rungs of a ladder from the bottom to the top."""
    from omnireel.recipes.ladder import build_ladder

    return tuple(rung.name for rung in build_ladder(size).rungs)


def _write_result(result: RungResult, versions: Mapping[str, ModelVersion], path: Path) -> None:
    version = versions.get(result.rung.name)
    data = {
        "rung": result.rung.name,
        "part": result.rung.part,
        "version": version.ref if version else None,
        "content_hash": version.content_hash if version else None,
        "component": str(result.component),
        "kept": result.kept,
    }
    write_answer(path, json.dumps(data, indent=1) + "\n")


class _Landing:
    """What happens on each rung that is reached: it is registered, announced and scored."""

    def __init__(
        self, rungs: Ladder, name: str, mlflow: str, cases: int, curve: Sequence[int]
    ) -> None:
        from omnireel.recipes.ladder_versions import LadderVersions

        self._rungs, self._cases, self._curve = rungs, cases, curve
        self.name = name
        self._registered = LadderVersions(name, mlflow) if mlflow != "off" else None
        self.versions: dict[str, ModelVersion] = {}

    def __call__(self, result: RungResult) -> bool:
        from omnireel.evaluate.cases import CaseConfig
        from omnireel.recipes.generator_tiny import ALL_CAPABILITY_WEIGHTS
        from omnireel.recipes.ladder_scores import score_rung, worse_than_its_start

        rung, version = result.rung, ""
        if self._registered is not None:
            self.versions[rung.name] = self._registered.register(result)
            version = f", {self.versions[rung.name].ref}"
        state = "was done" if result.was_done else "done"
        typer.echo(f"{rung.name}: {state}{version}, {result.component}")
        if self._cases and rung.part == "generator":
            config = CaseConfig(tuple(ALL_CAPABILITY_WEIGHTS), count=self._cases)
            score_rung(result, config)
            for steps in self._curve if self._rungs.in_distillation(rung) else ():
                score_rung(result, config, steps=steps)
        worse = worse_than_its_start(result) if rung.optional else None
        if worse is not None:
            typer.echo(
                f"{rung.name}: set aside, for it is worse than what it started from (GSB "
                f"{worse.estimate:.2f}, 95 % interval {worse.low:.2f} to {worse.high:.2f})"
            )
        return worse is None


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a ladder run.")], size: Size = "tiny"
) -> None:
    """Draw scores by rung, preference tuning and distillation, from the files of a climb.

    Example: omnireel train report runs/ladder-tiny
    """
    from omnireel.recipes.ladder import build_ladder
    from omnireel.recipes.ladder_report import write_ladder_report

    for path in write_ladder_report(folder, build_ladder(size)):
        typer.echo(path)


def _write_table(rungs: Ladder, results: Sequence[RungResult], folder: Path) -> None:
    from omnireel.recipes.ladder_report import write_ladder_report
    from omnireel.recipes.ladder_scores import compare_rungs, ladder_table

    table = ladder_table(compare_rungs(results))
    pictures = write_ladder_report(folder, rungs)
    shown = [f"![{path.stem}](report/{path.name})\n" for path in pictures]
    (folder / "ladder.md").write_text("\n".join([table, *shown]), encoding="utf-8")
    typer.echo(table)


def _promote(
    size: str,
    smoke: bool,
    results: Sequence[RungResult],
    versions: Mapping[str, ModelVersion],
    folder: Path,
    mlflow: str,
) -> None:
    from omnireel.recipes.ladder_gates import build_gates
    from omnireel.recipes.ladder_promotion import promote_parts

    outcomes = promote_parts(
        results, versions, build_gates(size, smoke=smoke), folder, mlflow, err().print
    )
    for outcome in outcomes:
        _print_outcome(outcome)
    if smoke and not any(outcome.promoted for outcome in outcomes):
        out().print("a smoke model is of no use, and the gate has seen that: that is the right end")


def _print_outcome(outcome: PartOutcome) -> None:
    ref, name = outcome.version.ref, outcome.version.name
    if outcome.verdict is None:
        out().print(f"{ref}: champion before, and the same content")
        return
    if outcome.promoted:
        before = f"before: {outcome.previous}" if outcome.previous else "the first one"
        out().print(Text.assemble((f"{ref}: promoted", "bold green"), f" ({before})"))
    else:
        stays = f"{name}@champion stays {outcome.previous or 'unset'}"
        out().print(Text.assemble((f"{ref}: not promoted", "bold red"), f"; {stays}"))
    for reason in outcome.verdict.reasons:
        mark, style = ("passed", "green") if reason.passed else ("failed", "bold red")
        out().print(Text.assemble("  ", (mark, style), f"  {reason.line}"))
    if outcome.obstacle:
        out().print(Text.assemble("  ", ("failed", "bold red"), f"  {outcome.obstacle}"))
