"""``omnireel eval noise``: how far one system's scores lie apart by chance alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from omnireel.cli.printing import out


def noise(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of two or more runs of 'omnireel eval bench' of one system, each with "
            "another --seed."
        ),
    ],
    tie_margin: Annotated[
        float, typer.Option(min=0.0, help="Tie margin to check against the noise; above 0.")
    ] = 0.05,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Measure the noise that a tie margin should match: paired differences between seeds.

    Prints the spread of the differences with its interval, their quantiles, and the share of cases
    that count as the same at half the margin, the margin and twice the margin.

    Example: omnireel eval noise out/student out/student-1
    """
    from omnireel.evaluate.arena.noise import noise_text, seed_noise

    found = seed_noise(runs, tie_margin)
    out().print(json.dumps(found, indent=1) if as_json else noise_text(found), markup=False)
