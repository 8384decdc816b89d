"""Options that several verbs share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipelines.server import Server

Name = Annotated[str, typer.Argument(metavar="WORKFLOW", help="See 'omnireel pipelines list'.")]
Image = Annotated[
    str, typer.Option(envvar="OMNIREEL_IMAGE", help="Image of the steps, with a version.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="field=value: which steps there are, as smoke=true (repeatable)."),
]
Arguments = Annotated[
    list[str] | None,
    typer.Option("--argument", "-a", help="name=value: what the steps work on (repeatable)."),
]
Endpoint = Annotated[
    str,
    typer.Option(envvar="KFP_ENDPOINT", help="Address of Kubeflow Pipelines: http://host:port."),
]
Namespace = Annotated[
    str,
    typer.Option(envvar="KFP_NAMESPACE", help="Namespace of the profile, where there are several."),
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Run id printed by 'submit'.")]


def server_of(endpoint: str, namespace: str) -> Server:
    """The server of two options."""
    from pipelines.server import Server, ServerConfig

    return Server(ServerConfig(endpoint, namespace))
