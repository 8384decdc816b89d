"""``omnireel rollout``: put, watch, undo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omnireel.cli.connection import AddressOption, ApiKeyOption, open_client
from omnireel.cli.gate import PASSED, REFUSED, Answer, write_answer
from omnireel.cli.printing import err, out

app = typer.Typer(
    name="rollout",
    help="Put a pinned model into service, watch it answer, take it back.\n\n"
    "Example: omnireel rollout put folder:/srv/models/canary out/model --version generator/4",
    no_args_is_help=True,
)

Target = Annotated[str, typer.Argument(help="folder:/absolute/link, or deployment:NAMESPACE/NAME.")]


@app.command("put")
def put(
    target: Target,
    model: Annotated[Path, typer.Argument(help="Model folder, as the service sees it.")],
    version: Annotated[str, typer.Option(help="Its version: NAME/3, never an alias.")],
) -> None:
    """Serve a model, and wait until it is served.

    Example: omnireel rollout put deployment:video/omnireel-generator /weights/gen-4 --version gen/4
    """
    from omnireel.cli.rollout.targets import open_target
    from omnireel.registry.reference import check_pinned

    check_pinned(version)
    changed = open_target(target).put(version, model)
    out().print(f"{target}: {version}{'' if changed else ', as before'}", markup=False)


@app.command("undo")
def undo(target: Target) -> None:
    """Serve what was served before. Example: omnireel rollout undo folder:/srv/models/canary."""
    from omnireel.cli.rollout.targets import open_target

    out().print(f"{target}: {open_target(target).undo()}", markup=False)


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
