"""``omnireel videos``: look after videos on a gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from omnireel.api.v1 import video_pb2
from omnireel.cli.connection import AddressOption, ApiKeyOption, open_client
from omnireel.cli.printing import out
from omnireel.cli.showing import as_json, prompt_text, state_word, summary
from omnireel.client import finished
from omnireel.errors import InvalidInput, NotFound

app = typer.Typer(help="List, show, cancel, delete and download videos.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="videos/ID, or just ID.")]
_STATES = {
    name.removeprefix("VIDEO_STATE_").lower(): value
    for name, value in video_pb2.VideoState.items()
    if value
}


@app.command("list")
def list_videos(
    state: Annotated[list[str], typer.Option(help="Only videos in this state.")] = [],  # noqa: B006
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of videos.")] = 20,
    address: AddressOption = None,
    api_key: ApiKeyOption = None,
) -> None:
    """List videos, newest first. Example: omnireel videos list --state running."""
    table = Table("NAME", "STATE", "DONE", "CREATED", "PROMPT", box=None, pad_edge=False)
    with open_client(address, api_key) as client:
        for number, video in enumerate(client.list(states=[_state(s) for s in state])):
            if number == limit:
                break
            created = video.create_time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S")
            done = f"{video.progress.fraction:.0%}"
            table.add_row(video.name, state_word(video), done, created, prompt_text(video)[:60])
    if table.row_count:
        out().print(table)
    else:
        out().print("no videos")


@app.command("get")
def get_video(
    name: NameArgument,
    json: Annotated[bool, typer.Option("--json", help="Print the whole resource as JSON.")] = False,
    address: AddressOption = None,
    api_key: ApiKeyOption = None,
) -> None:
    """Show one video. Example: omnireel videos get 4f2a --json."""
    with open_client(address, api_key) as client:
        video = client.get(name)
    out().print(as_json(video) if json else summary(video))


@app.command("cancel")
def cancel_video(
    name: NameArgument, address: AddressOption = None, api_key: ApiKeyOption = None
) -> None:
    """Stop a job within one denoising step. Example: omnireel videos cancel 4f2a."""
    with open_client(address, api_key) as client:
        client.cancel(name)
        out().print(f"{name} is {state_word(client.get(name))}")


@app.command("delete")
def delete_video(
    name: NameArgument, address: AddressOption = None, api_key: ApiKeyOption = None
) -> None:
    """Delete a video and its outputs. Example: omnireel videos delete 4f2a."""
    with open_client(address, api_key) as client:
        client.delete(name)
    out().print(f"{name} is deleted")


@app.command("delete-upload")
def delete_upload(
    uri: Annotated[
        str, typer.Argument(help="URI of an input, as `omnireel videos get --json` shows it.")
    ],
    address: AddressOption = None,
    api_key: ApiKeyOption = None,
) -> None:
    """Delete an image or clip that was sent; no unfinished video may read it.

    Example: omnireel videos delete-upload file:///store/uploads/me/1f/sha256/ab/ab12.png.
    """
    with open_client(address, api_key) as client:
        client.delete_upload(uri)
    out().print("it is deleted")


@app.command("download")
def download_video(
    name: NameArgument,
    output: Annotated[Path, typer.Option("--out", help="The file to write.")],
    which: Annotated[
        Literal["video", "base", "upscaled", "poster"], typer.Option(help="Output to download.")
    ] = "video",
    address: AddressOption = None,
    api_key: ApiKeyOption = None,
) -> None:
    """Download a finished video. Example: omnireel videos download 4f2a --out a.mp4."""
    with open_client(address, api_key) as client:
        outputs = finished(client.get(name)).outputs
        if not outputs.HasField(which):
            raise NotFound(f"{name} has no output {which!r}")
        client.download(getattr(outputs, which), output)
    out().print(f"wrote {output}", style="green")


def _state(word: str) -> video_pb2.VideoState.ValueType:
    if word not in _STATES:
        raise InvalidInput(
            f"{word!r} is not a state; use one of: {', '.join(_STATES)}", field="--state"
        )
    return _STATES[word]
