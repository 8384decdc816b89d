"""``omnireel registry``: model versions, their lineage, and the gate before the champion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from omnireel.cli import registry_promotion as promotion
from omnireel.cli.printing import err, out
from omnireel.cli.registry_options import DEFAULT_MLFLOW, AsJson, Mlflow, Reference

app = typer.Typer(
    name="registry",
    help="Model versions in MLflow: register, fetch, lineage, promotion.\n\n"
    "Example: omnireel registry lineage generator@champion --out lineage.svg",
    no_args_is_help=True,
)


@app.command("list")
def list_versions(
    name: Annotated[
        str | None, typer.Argument(help="Name of the model; default: all models.")
    ] = None,
    mlflow: Mlflow = DEFAULT_MLFLOW,
    as_json: AsJson = False,
) -> None:
    """List model versions. Example: omnireel registry list generator."""
    from omnireel.cli.registry_printing import version_json, version_table
    from omnireel.registry.versions import Registry

    registry = Registry.open(mlflow)
    versions = registry.named(name) if name else registry.versions()
    if as_json:
        out().print_json(json.dumps([version_json(v) for v in versions]))
    elif versions:
        out().print(version_table(versions))
    else:
        out().print(f"no versions at {mlflow} yet; add one with 'omnireel registry register'")


@app.command("show")
def show(reference: Reference, mlflow: Mlflow = DEFAULT_MLFLOW, as_json: AsJson = False) -> None:
    """Show what is known of a version. Example: omnireel registry show generator@champion."""
    from omnireel.cli.registry_printing import version_facts, version_json
    from omnireel.registry.versions import Registry

    version = Registry.open(mlflow).resolve(reference)
    if as_json:
        out().print_json(json.dumps(version_json(version)))
        return
    out().print(version_facts(version))


@app.command("register")
def register(
    folder: Annotated[Path, typer.Argument(help="Component folder ('omnireel train export').")],
    name: Annotated[str, typer.Option(help="Name of the model; created if it does not exist.")],
    run: Annotated[str | None, typer.Option(help="MLflow run that trained it.")] = None,
    parent: Annotated[
        list[str] | None, typer.Option(help="Version that it was made from (repeatable).")
    ] = None,
    data_manifest: Annotated[
        Path | None, typer.Option(help="Manifest file of its training data.")
    ] = None,
    artifacts: Annotated[
        str | None,
        typer.Option(help="Location of files for a new database, e.g. s3://bucket/prefix."),
    ] = None,
    answer: Annotated[
        Path | None, typer.Option(help="Also write the reference to this file.")
    ] = None,
    mlflow: Mlflow = DEFAULT_MLFLOW,
) -> None:
    """Make a component folder a model version; the same content again stays the same version.

    Example: omnireel registry register out/generator --name generator --parent generator/3
    """
    from omnireel.registry.data_manifest import DataManifest
    from omnireel.registry.publishing import register as register_component

    version = register_component(
        folder,
        name=name,
        run_id=run,
        parents=parent or (),
        data_manifest=DataManifest.of_file(data_manifest) if data_manifest else None,
        tracking_uri=mlflow,
        artifact_root=artifacts,
    )
    out().print(f"{version.ref}  {version.content_hash}")
    if run is not None and version.run_id != run:
        kept = f"the run {version.run_id}" if version.run_id else "no run"
        err().print(f"{version.ref} was there already and keeps {kept}")
    if answer is not None:
        from omnireel.cli.gate import write_answer

        write_answer(answer, version.ref)


@app.command("fetch")
def fetch(
    reference: Reference,
    folder: Annotated[Path, typer.Option("--out", help="Component folder to write.")],
    mlflow: Mlflow = DEFAULT_MLFLOW,
) -> None:
    """Download a version and check it. Example: omnireel registry fetch gen/3 --out out/gen."""
    from omnireel.registry.publishing import fetch as fetch_version

    version = fetch_version(reference, folder, tracking_uri=mlflow)
    out().print(f"{folder}: {version.ref}  {version.content_hash}")


@app.command("assemble")
def assemble(
    reference: Reference,
    folder: Annotated[Path, typer.Option("--out", help="Model folder to write.")],
    pinned: Annotated[
        bool, typer.Option("--pinned", help="Refuse references that may move, e.g. NAME@champion.")
    ] = False,
    mlflow: Mlflow = DEFAULT_MLFLOW,
) -> None:
    """Download a version and the autoencoder that it stands on, as a model folder.

    Example: omnireel registry assemble omnireel-tiny-generator/3 --out out/model
    """
    from omnireel.registry.assembling import assemble as assemble_model
    from omnireel.registry.reference import check_pinned

    if pinned:
        check_pinned(reference)
    for version in assemble_model(reference, folder, tracking_uri=mlflow):
        out().print(f"{folder / version.kind}: {version.ref}  {version.content_hash}")


@app.command("buckets")
def buckets(
    addresses: Annotated[
        list[str],
        typer.Argument(
            help="Bucket to create, e.g. s3://bucket?endpoint=http://host:port (repeatable)."
        ),
    ],
) -> None:
    """Make buckets that are not there. Example: omnireel registry buckets s3://models."""
    from omnireel.errors import InvalidInput
    from omnireel.store.open import open_store
    from omnireel.store.s3 import S3Store

    stores = [open_store(address) for address in addresses]
    for address, store in zip(addresses, stores, strict=True):
        if not isinstance(store, S3Store):
            raise InvalidInput(f"{address} is not a bucket", field="addresses")
        store.ensure_bucket()
        out().print(f"{address.partition('?')[0]}: there", markup=False)


@app.command("champion")
def champion(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    answer: Annotated[
        Path | None, typer.Option(help="Write the reference, or 'none', to this file.")
    ] = None,
    mlflow: Mlflow = DEFAULT_MLFLOW,
) -> None:
    """Print the version that is champion now, or 'none'.

    Example: omnireel registry champion omnireel-tiny-generator
    """
    from omnireel.cli.gate import write_answer
    from omnireel.registry.versions import Registry

    found = Registry.open(mlflow).champion(name)
    text = found.ref if found is not None else "none"
    out().print(text)
    if answer is not None:
        write_answer(answer, text)


@app.command("alias")
def alias(
    reference: Reference,
    alias: Annotated[str, typer.Argument(help="Alias to point at it.")],
    mlflow: Mlflow = DEFAULT_MLFLOW,
) -> None:
    """Point an alias at a version. Example: omnireel registry alias generator/3 teacher."""
    from omnireel.registry.publishing import set_alias

    version = set_alias(reference, alias, tracking_uri=mlflow)
    out().print(f"{version.name}@{alias} is {version.ref}")


@app.command("lineage")
def lineage(
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="NAME (its newest version), NAME@alias or NAME/3.")
    ],
    picture: Annotated[
        Path | None, typer.Option("--out", help="Also draw it: file.svg or file.png.")
    ] = None,
    mlflow: Mlflow = DEFAULT_MLFLOW,
) -> None:
    """Show what a version was made from and what it became.

    Example: omnireel registry lineage generator@champion --out lineage.svg
    """
    from omnireel.cli.registry_printing import lineage_tree
    from omnireel.registry.lineage import lineage_of

    found = lineage_of(reference, tracking_uri=mlflow)
    out().print(lineage_tree(found))
    if picture is not None:
        from omnireel.registry.lineage_drawing import draw_lineage

        out().print(str(draw_lineage(found, picture).resolve()))


app.command("judge")(promotion.judge)
app.command("promote")(promotion.promote)
app.command("rollback")(promotion.rollback)
