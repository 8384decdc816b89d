"""``omnireel data forget``: take a sample out of shards, and name the models that saw it."""

from __future__ import annotations

from typing import Annotated

import typer


def forget(
    wanted: Annotated[
        str, typer.Argument(metavar="ID", help="A sample's key, a file's name, or its SHA-256.")
    ],
    shards: Annotated[
        list[str], typer.Argument(help="Folders of shards to search, or s3://bucket/prefix?..")
    ],
    tracking: Annotated[
        str, typer.Option(help="MLflow address of the registry; 'off': do not search models.")
    ] = "sqlite:///runs/mlflow.db",
) -> None:
    """Remove a sample for good: shards are rewritten, the ledger keeps a tombstone.

    Files that the ledger knows as copies of the same bytes go with it.
    Models are found by the manifest that they were registered with (omnireel registry register).

    Example: omnireel data forget holiday.mp4 curated
    """
    from omnireel.data.forget import forget_at
    from omnireel.data.overview import count_of
    from omnireel.errors import NotFound

    manifests: list[str] = []
    missing: list[str] = []
    for folder in shards:
        try:
            done = forget_at(folder, wanted)
        except NotFound as error:
            missing.append(error.message)
            continue
        manifests += done.manifests
        typer.echo(
            f"{folder}: {count_of(len(done.samples), 'sample')} removed "
            f"({', '.join(done.samples)}), {count_of(len(done.rewritten), 'shard')} rewritten"
        )
    if len(missing) == len(shards):
        raise NotFound("; ".join(missing))
    if tracking == "off":
        typer.echo("models were not searched")
        return
    _say_models(manifests, tracking)


def _say_models(manifests: list[str], tracking: str) -> None:
    """Every version whose data or whose parents' data held the sample."""
    from omnireel.registry.lineage import trace
    from omnireel.registry.versions import Registry

    versions = Registry.open(tracking).versions()
    hit = {v.ref for v in versions if v.data_manifest in set(manifests)}
    taught = set(hit)
    for ref in hit:
        found = trace(versions, ref)
        todo = [ref]
        while todo:
            children = [c for c in found.children(todo.pop()) if c not in taught]
            taught.update(children)
            todo += children
    for version in versions:
        if version.ref in taught:
            how = "trained on it" if version.ref in hit else "made from one that was"
            typer.echo(f"model {version.ref}: {how}")
    if not taught:
        typer.echo("no registered model was trained on these shards")
