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
        Path | None,
        typer.Option(
            help="Component folder of an enhancer to use instead of the one in --weights."
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="held_out, or known: read while everyday words were collected.")
    ] = "held_out",
    workers: Annotated[
        int, typer.Option(min=1, help="Number of processes, each with one thread.")
    ] = os.cpu_count() or 1,
    folder: Annotated[Path, typer.Option("--out", help="Run folder; rerun to resume.")] = Path(
        "out/prompts"
    ),
    record: Annotated[
        bool, typer.Option("--record", help="Save the shares in the enhancer's card.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print results.json instead of a table.")
    ] = False,
) -> None:
    """Prompts in free words: how much of what they say is shown, as written and enhanced.

    120 held-out prompts, three clips each: as written, enhanced, and in exact words, which is the
    most that an enhancer could win. Readers of the frames look for the facts that stand beside each
    prompt. About six minutes on two cores.

    Example: omnireel eval prompts --out runs/prompts
    """
    from omnireel.cli.bench import progress
    from omnireel.errors import InvalidInput
    from omnireel.evaluate.free_prompts.prompts import SPLITS, read_prompts
    from omnireel.evaluate.free_prompts.record import record_shares
    from omnireel.evaluate.free_prompts.run import SHEETS, System, run_free_prompts
    from omnireel.evaluate.free_prompts.summary import summary_of
    from omnireel.files import atomic_write

    if split not in SPLITS:
        raise InvalidInput(
            f"unknown split {split!r}; use one of {', '.join(SPLITS)}", field="split"
        )
    root = weights or SHIPPED_TINY
    system = System(root / "generator", root / "vae", enhancer or root / "enhancer")
    chosen = [prompt for prompt in read_prompts() if prompt.split == split]
    with progress() as report:
        records = run_free_prompts(system, chosen, folder, workers=workers, report=report)
    data = {"split": split, **system.hashes(), **summary_of(records), "records": records}
    atomic_write(folder / "results.json", (json.dumps(data, indent=1) + "\n").encode())
    if record:
        err().print(f"recorded in {record_shares(data, system.enhancer)}")
    if as_json:
        out().print_json(json.dumps(data))
        return
    _print(data)
    err().print(str((folder / SHEETS).resolve()))


def _print(data: dict[str, Any]) -> None:
    lines = [
        "| Facts | Number | As written | Enhanced | Exact words |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {group} | {row['facts']} | {row['written']:.0%} | {row['enhanced']:.0%} | "
        f"{row['exact']:.0%} |"
        for group, row in data["groups"].items()
    ]
    out().print("\n".join(lines), markup=False)
    written, enhanced, exact, gain = (
        [100 * value for value in data[name]] for name in ("written", "enhanced", "exact", "gain")
    )
    out().print(
        f"\nof {data['facts']} facts {written[0]:.0f} % are shown as written, {enhanced[0]:.0f} % "
        f"enhanced: {gain[0]:+.0f} points ({gain[1]:+.0f} to {gain[2]:+.0f}), {exact[0]:.0f} % in "
        "exact words; "
        f"{data['not_rewritten']} of {data['prompts']} prompts were not rewritten",
        markup=False,
    )
