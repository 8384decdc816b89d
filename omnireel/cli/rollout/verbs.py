"""``omnireel rollout``: put, watch, undo, settle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omnireel.cli.connection import AddressOption, ApiKeyOption, open_client
from omnireel.cli.gate import PASSED, REFUSED, Answer, write_answer
from omnireel.cli.printing import err, out
from omnireel.cli.registry_options import DEFAULT_MLFLOW, Mlflow
from omnireel.cli.rollout.targets import WaitConfig, open_target

app = typer.Typer(
    name="rollout",
    help="Put a pinned model into service, watch it answer, take it back.\n\n"
    "Example: omnireel rollout put folder:/srv/models/canary out/model --version generator/4",
    no_args_is_help=True,
)

Target = Annotated[str, typer.Argument(help="folder:/absolute/link, or deployment:NAMESPACE/NAME.")]

WaitS = Annotated[
    float,
    typer.Option(
        min=0.0,
        help="Seconds that each replica may take to become ready; they are replaced one by one.",
    ),
]
_WAIT_S = WaitConfig().replica_s


@app.command("put")
def put(
    target: Target,
    model: Annotated[Path, typer.Argument(help="Model folder, as the service sees it.")],
    version: Annotated[str, typer.Option(help="Its version: NAME/3, never an alias.")],
    wait_s: WaitS = _WAIT_S,
) -> None:
    """Serve a model, and wait until it is served; pods that do not come up are taken back.

    Example: omnireel rollout put deployment:video/omnireel-generator /weights/gen-4 --version gen/4
    """
    from omnireel.registry.reference import check_pinned

    check_pinned(version)
    changed = open_target(target, WaitConfig(wait_s)).put(version, model)
    out().print(f"{target}: {version}{'' if changed else ', as before'}", markup=False)


@app.command("undo")
def undo(
    target: Target,
    if_model: Annotated[
        Path | None, typer.Option(help="Do nothing unless this model folder is served.")
    ] = None,
    wait_s: WaitS = _WAIT_S,
) -> None:
    """Serve what was served before. Example: omnireel rollout undo folder:/srv/models/canary."""
    served = open_target(target, WaitConfig(wait_s)).undo(if_model)
    out().print(f"{target}: {served or f'does not serve {if_model}'}", markup=False)


@app.command("settle")
def settle(
    version: Annotated[str, typer.Argument(help="Version that was tried: NAME/3.")],
    model: Annotated[Path, typer.Argument(help="Its model folder, as the services see it.")],
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET...",
            help="The places where it may be served; the same places as 'rollout put'.",
        ),
    ],
    mlflow: Mlflow = DEFAULT_MLFLOW,
    wait_s: WaitS = _WAIT_S,
) -> None:
    """End a trial: unless the version is the champion now, set back every place that serves it.

    It also loses the alias canary. Safe to repeat; for a release that failed or was cancelled.

    Example: omnireel rollout settle gen/4 /weights/models/gen/4 deployment:video/omnireel-generator
    """
    from omnireel.cli.rollout.settling import settle as settle_trial
    from omnireel.registry.reference import check_pinned

    check_pinned(version)
    places = {text: open_target(text, WaitConfig(wait_s)) for text in targets}
    settle_trial(version, model, places, mlflow, lambda line: out().print(line, markup=False))


@app.command("watch")
def watch(
    requests: Annotated[int, typer.Option(min=1, help="Number of videos to request.")] = 10,
    max_failures: Annotated[int, typer.Option(min=0, help="Maximum number of failed videos.")] = 0,
    answer: Answer = None,
    address: AddressOption = None,
    api_key: ApiKeyOption = None,
) -> None:
    """Ask a gateway for videos and count what comes back.

    Example: omnireel rollout watch --address canary.video:7070 --requests 20 --max-failures 1
    """
    from omnireel.cli.rollout.watching import WatchConfig
    from omnireel.cli.rollout.watching import watch as watch_gateway

    config = WatchConfig(requests, max_failures)
    with open_client(address, api_key) as client:
        found = watch_gateway(client, config, lambda line: err().print(line, markup=False))
    word = PASSED if found.passed else REFUSED
    out().print(f"{word}: {found.made} made, {len(found.failures)} failed")
    if answer is not None:
        write_answer(answer, word)
    elif not found.passed:
        raise typer.Exit(1)
