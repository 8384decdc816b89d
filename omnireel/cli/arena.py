"""``omnireel eval arena``: systems side by side, judged blind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from omnireel.cli.printing import out
from omnireel.errors import InvalidInput


def arena(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Folders of two or more runs of 'omnireel eval bench'; runs of one system with "
            "different noise are joined by commas."
        ),
    ],
    folder: Annotated[
        Path, typer.Option("--out", help="Folder for the page and the report.")
    ] = Path("out/arena"),
    judge: Annotated[
        str, typer.Option(help="people (writes a page), or oracle (judges at once).")
    ] = "people",
    answers: Annotated[
        list[Path] | None,
        typer.Option(help="Answer file saved by the page, one per judge (repeatable)."),
    ] = None,
    trials: Annotated[
        int, typer.Option(min=0, help="Number of real trials over all pairs; 0: every common case.")
    ] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed for the choice of trials and sides.")] = 0,
    tie_margin: Annotated[
        float,
        typer.Option(min=0.0, help="Largest score difference that the oracle counts as a tie."),
    ] = 0.05,
    least_gold: Annotated[
        float,
        typer.Option(
            "--min-gold",
            min=0.0,
            max=1.0,
            help="Minimum share of gold trials a judge must get right.",
        ),
    ] = 0.8,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json.")] = False,
) -> None:
    """Compare runs of the benchmark pair by pair: G, S, B, GSB and strengths, with intervals.

    People judge on a page (keys 1, 2, T; it remembers where they were), which neither names the
    systems nor says which trials are repeats or have a known answer. Give the same runs, --trials
    and --seed again with --answers to count what they said. With --answers and --judge oracle both
    are reported, apart. People answer one question; the oracle has four axes, one for each family
    of metrics.

    Example: omnireel eval arena out/student out/teacher --judge oracle --trials 0

    Example: omnireel eval arena out/student,out/student-1 out/teacher,out/teacher-1 --judge oracle
    """
    from omnireel.evaluate.arena.oracle import judge_by_oracle
    from omnireel.evaluate.arena.page import write_arena_page
    from omnireel.evaluate.arena.report import arena_report
    from omnireel.evaluate.arena.text import arena_text
    from omnireel.evaluate.arena.trials import ArenaConfig, open_contest
    from omnireel.evaluate.arena.votes import read_votes
    from omnireel.files import atomic_write

    if judge not in ("people", "oracle"):
        raise InvalidInput(f"--judge is people or oracle, not {judge!r}", field="judge")
    systems = _systems(runs)
    contest = open_contest(systems, ArenaConfig(trials=trials, seed=seed))
    folder.mkdir(parents=True, exist_ok=True)
    votes = read_votes(contest, answers or [])
    oracle = judge_by_oracle(contest, tie_margin) if judge == "oracle" else None
    if not votes and oracle is None:
        write_arena_page(contest, folder / "page.html")
        out().print(
            f"{folder / 'page.html'}: {len(contest.trials)} trials; let people judge, then run "
            "this again with --answers FILE"
        )
        return
    report = arena_report(list(systems), contest.trials, votes, oracle, least_gold=least_gold)
    text = json.dumps(report, indent=1)
    atomic_write(folder / "report.json", (text + "\n").encode())
    out().print(text if as_json else arena_text(report), markup=False)


def _systems(runs: list[str]) -> dict[str, list[Path]]:
    """Run folders by the name of their system: that of its first folder, or the whole path of it
    where two systems would have one name."""
    systems = [[Path(run) for run in given.split(",")] for given in runs]
    every = [folder.resolve() for folders in systems for folder in folders]
    if len(set(every)) < len(every):
        raise InvalidInput("one run is given twice", field="runs")
    names = [folders[0].name for folders in systems]
    if len(set(names)) < len(names):
        names = [str(folders[0]) for folders in systems]
    return dict(zip(names, systems, strict=True))
