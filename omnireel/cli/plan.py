"""``omnireel plan``: how large an installation must be for a rate of jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from omnireel.capacity.measurements import (
    Measurements,
    measurements_of,
    measurements_text,
    read_measurements,
)
from omnireel.capacity.plan import Demand, make_plan
from omnireel.capacity.report import PlanReport, Prices
from omnireel.capacity.simulation import SimulationConfig, simulate
from omnireel.cli.connection import AddressOption, ApiKeyOption
from omnireel.cli.printing import err, out
from omnireel.errors import AlreadyExists, InvalidInput
from omnireel.files import atomic_write

app = typer.Typer(
    no_args_is_help=True, help="Estimate the capacity of an installation from measured times."
)

_DEFAULT = Demand(1.0)


@app.command("serve")
def serve(
    jobs_per_hour: Annotated[float, typer.Option(help="Jobs in the busiest hour.")],
    gpu: Annotated[
        str, typer.Option(help="Device whose measurements ship with the package: cpu.")
    ] = "cpu",
    measurements: Annotated[
        Path | None,
        typer.Option(
            help="File of your own measurements instead (`omnireel plan measure` writes one)."
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Longest wait in seconds for --share of the jobs.")
    ] = _DEFAULT.wait_s,
    share: Annotated[
        float, typer.Option(help="Share of jobs that must start within --wait.")
    ] = _DEFAULT.share,
    enhanced: Annotated[
        float, typer.Option(help="Share of the jobs with an enhanced prompt.")
    ] = 1.0,
    upscaled: Annotated[float, typer.Option(help="Share of the jobs with super-resolution.")] = 1.0,
    steps: Annotated[int, typer.Option(help="Denoising steps; 0: as measured.", min=0)] = 0,
    slots: Annotated[
        int, typer.Option(help="Number of jobs one worker runs at once.", min=1, max=256)
    ] = 4,
    hours_a_day: Annotated[
        float, typer.Option(help="Hours per day at this rate, for storage.")
    ] = 24.0,
    keep_days: Annotated[float, typer.Option(help="Days that videos are kept.", min=0)] = 30.0,
    price: Annotated[float, typer.Option(help="Price of one device per hour.", min=0)] = 0.0,
    gb_price: Annotated[
        float, typer.Option(help="Price of 1 GB of storage per month.", min=0)
    ] = 0.0,
    jobs: Annotated[
        int, typer.Option(help="Number of jobs to simulate.", min=100, max=1_000_000)
    ] = SimulationConfig.jobs,
    seed: Annotated[int, typer.Option(help="Simulation seed.")] = SimulationConfig.seed,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print replicas, waiting, storage and cost for a rate of jobs, and simulate them.

    Example: omnireel plan serve --jobs-per-hour 600 --gpu cpu --wait 30
    """
    measured = read_measurements(measurements) if measurements else measurements_of(gpu)
    if steps:
        measured = measured.with_steps("generator", steps)
    demand = Demand(
        jobs_per_hour, enhanced, upscaled, wait, share, hours_a_day, keep_days=keep_days
    )
    plan = make_plan(measured, demand, slots=slots)
    played = simulate(measured, demand, plan.installation, SimulationConfig(jobs, seed=seed))
    report = PlanReport(measured, demand, plan, played, Prices(price, gb_price))
    out().print(json.dumps(report.values(), indent=2) if as_json else report.text(), markup=False)


@app.command("measure")
def measure(
    output: Annotated[Path, typer.Option("--out", help="The .toml file to write.")],
    device: Annotated[str, typer.Option(help="Device of one model service, e.g. h100.")],
    prompt: Annotated[
        list[str] | None, typer.Option(help="Prompt to make videos of (repeatable).")
    ] = None,
    videos: Annotated[
        int, typer.Option(help="Number of videos, made one after the other.", min=2)
    ] = 12,
    note: Annotated[str, typer.Option(help="Note about the machine, kept in the file.")] = "",
    address: AddressOption = None,
    api_key: ApiKeyOption = None,
) -> None:
    """Make videos on an idle installation, one after the other, and write down what they took.

    Example: omnireel plan measure --device h100 --out h100.toml
    """
    from omnireel.cli.connection import open_client
    from omnireel.cli.plan_measure import PROMPTS, make_measurements

    if output.exists():
        raise AlreadyExists(f"{output} exists already; choose a new file")
    if output.suffix != ".toml":
        raise InvalidInput(f"{output} does not end in .toml", field="--out")
    with open_client(address, api_key) as client:
        found = make_measurements(
            client, prompt or PROMPTS, videos=videos, device=device, note=note,
            report=lambda line: err().print(line, markup=False),
        )  # fmt: skip
    _write(found, output)


def _write(found: Measurements, output: Path) -> None:
    atomic_write(output, measurements_text(found).encode())
    out().print(f"wrote {output}; now: omnireel plan serve --measurements {output} ...")
