"""``omnireel eval prompts``: prompts as people write them, without and with the enhancer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from omnireel.cli.printing import err, out
from omnireel.shipped import SHIPPED_TINY


def prompts(
    weights: Annotated[
        Path | None,
        typer.Option(help="Folder with generator/, vae/ and enhancer/; default: shipped."),
    ] = None,
    enhancer: Annotated[
        Path | None, typer.Option(help="Component folder instead of that among the weights.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="held_out, or known: read while everyday words were collected.")
    ] = "held_out",
    workers: Annotated[
        int, typer.Option(min=1, help="Processes, each with one thread.")
    ] = os.cpu_count() or 1,
    folder: Annotated[
        Path, typer.Option("--out", help="Folder of the run; run again to go on.")
    ] = Path("out/prompts"),
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json, no table.")] = False,
) -> None:
    """Prompts as people write them: how much of what they say is shown, as written and enhanced.

    120 held-out prompts in free words, two clips each; readers of the frames look for the facts
    that are written beside each prompt. About four minutes on two cores.

    Example: omnireel eval prompts --out runs/prompts
    """
    from omnireel.cli.bench import progress
    from omnireel.errors import InvalidInput
    from omnireel.evaluate.free_prompts.prompts import SPLITS, read_prompts
    from omnireel.evaluate.free_prompts.run import System, run_free_prompts
    from omnireel.evaluate.free_prompts.summary import summary_of
    from omnireel.files import atomic_write

    if split not in SPLITS:
        raise InvalidInput(f"splits are {', '.join(SPLITS)}, not {split!r}", field="split")
    root = weights or SHIPPED_TINY
    system = System(root / "generator", root / "vae", enhancer or root / "enhancer")
    chosen = [prompt for prompt in read_prompts() if prompt.split == split]
    with progress() as report:
        records = run_free_prompts(system, chosen, folder, workers=workers, report=report)
    data = {"split": split, **system.hashes(), **summary_of(records), "records": records}
    atomic_write(folder / "results.json", (json.dumps(data, indent=1) + "\n").encode())
    if as_json:
        out().print_json(json.dumps(data))
        return
    _print(data)
    err().print(str((folder / "results.json").resolve()))


def _print(data: dict[str, Any]) -> None:
    lines = ["| Facts | Number | As written | Enhanced |", "|---|---:|---:|---:|"]
    lines += [
        f"| {group} | {row['facts']} | {row['written']:.0%} | {row['enhanced']:.0%} |"
        for group, row in data["groups"].items()
    ]
    out().print("\n".join(lines), markup=False)
    written, enhanced, gain = (
        [100 * value for value in data[name]] for name in ("written", "enhanced", "gain")
    )
    out().print(
        f"\nof {data['facts']} facts {written[0]:.0f} % are shown as written, {enhanced[0]:.0f} % "
        f"enhanced: {gain[0]:+.0f} points ({gain[1]:+.0f} to {gain[2]:+.0f}); "
        f"{data['not_rewritten']} of {data['prompts']} prompts were not rewritten",
        markup=False,
    )
