"""``omnireel data``: raw media -> training shards, and a look into these."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from omnireel.cli.curate import curate
from omnireel.cli.data_bench import bench
from omnireel.cli.data_caption import caption
from omnireel.cli.data_mine import mine
from omnireel.cli.data_synthesise import synthesise
from omnireel.cli.forget import forget
from omnireel.cli.printing import EXIT_INVALID_INPUT, err
from omnireel.cli.run_output import data_report
from omnireel.errors import InvalidInput

app = typer.Typer(
    name="data",
    help="Curate, pack and look at training data.\n\nExample: omnireel data curate footage curated",
    no_args_is_help=True,
)

app.command("bench")(bench)
app.command("curate")(curate)
app.command("forget")(forget)
app.command("caption")(caption)
app.command("mine")(mine)
app.command("synthesise")(synthesise)


@app.command("pack")
def pack(
    folder: Annotated[Path, typer.Argument(help="Folder of clips or images with captions.")],
    out: Annotated[Path, typer.Argument(help="Folder of shards to write.")],
    seed: Annotated[int, typer.Option(help="Shuffle seed.")] = 0,
    shard_mib: Annotated[float, typer.Option(help="Size of one shard in MiB.", min=0.01)] = 256.0,
    min_seconds: Annotated[float, typer.Option(help="Minimum length of a clip.", min=0.0)] = 0.7,
    min_side: Annotated[int, typer.Option(help="Minimum size of a picture.", min=1)] = 32,
) -> None:
    """Check every file, then write shuffled shards; the same command goes on when interrupted.

    Captions lie beside the files (clip.mp4, clip.txt) or in captions.csv or captions.jsonl with
    the columns file and caption.

    Example: omnireel data pack my_clips my_shards
    """
    from omnireel.data.folder import FolderConfig, open_folder
    from omnireel.data.overview import count_of
    from omnireel.data.shards import ShardWriterConfig, write_shards

    report = data_report()
    checks = FolderConfig(min_short_side=min_side, min_seconds=min_seconds)
    with problems_as_lines():
        source = open_folder(
            folder, checks, lambda done, total: report("checking files", done, total)
        )
    say_ignored(source.ignored)
    manifest = write_shards(
        out,
        source,
        ShardWriterConfig(seed=seed, shard_bytes=max(1, round(shard_mib * 2**20))),
        made_by={"command": shlex.join(["omnireel", *sys.argv[1:]]), "folder": folder.name},
        report=lambda done, total: report("packing samples", done, total),
    )
    typer.echo(f"{out}: {manifest.num_samples} samples in {count_of(len(manifest.files), 'shard')}")


@app.command("fetch")
def fetch(
    shards: Annotated[
        str,
        typer.Argument(help="Address of the shards: s3://bucket/prefix?endpoint=http://host:port."),
    ],
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
) -> None:
    """Copy finished shards from a bucket, compared with their hashes; the same command goes on.

    Example: omnireel data fetch "s3://data/curated?endpoint=http://minio:9000" curated
    """
    from omnireel.data.shards.bucket import ShardBucket

    report = data_report()
    ShardBucket(shards).fetch(out, lambda done, total: report("fetching files", done, total))
    typer.echo(f"{out}: as in {shards}")


@app.command("inspect")
def inspect(
    shards: Annotated[Path, typer.Argument(help="Folder of shards.")],
    sheet: Annotated[
        Path | None,
        typer.Option(help="PNG to draw samples on; default: sheet.png inside the folder."),
    ] = None,
    start: Annotated[int, typer.Option(help="First sample to draw.", min=0)] = 0,
    count: Annotated[
        int, typer.Option(help="Number of samples to draw; 0: none.", min=0, max=200)
    ] = 12,
    verify: Annotated[bool, typer.Option("--verify", help="Compare every file's hash.")] = False,
) -> None:
    """Print a table of contents and draw a contact sheet. Example: omnireel data inspect shards."""
    from omnireel.data.overview import SHEET, describe_shards, shard_sheet
    from omnireel.data.shards import ShardReader
    from omnireel.media import write_png

    reader = ShardReader(shards)
    if verify:
        reader.verify()
    for line in describe_shards(reader):
        typer.echo(line)
    if verify:
        typer.echo("every file matches its SHA-256")
    if count:
        path = sheet or shards / SHEET
        write_png(shard_sheet(reader, start, count), path)
        typer.echo(f"sheet: {path}")


@contextmanager
def problems_as_lines() -> Iterator[None]:
    """Print the problems of several files one a line, and exit."""
    try:
        yield
    except InvalidInput as error:
        if len(error.violations) < 2:
            raise
        for violation in error.violations:
            err().print(f"{violation.field}: {violation.description}", markup=False)
        err().print(f"{len(error.violations)} problems; nothing was written", style="bold red")
        raise typer.Exit(EXIT_INVALID_INPUT) from error


def say_ignored(files: tuple[str, ...]) -> None:
    """Name files that were left out, on standard error."""
    if files:
        more = f" and {len(files) - 5} more" if len(files) > 5 else ""
        err().print(f"left out, no media: {', '.join(files[:5])}{more}", markup=False)
