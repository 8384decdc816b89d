"""``omnireel registry``: model versions, their lineage, and the gate before the champion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from omnireel.cli.printing import out

if TYPE_CHECKING:
    from omnireel.evaluate.gate import Measured
    from omnireel.registry.promotion import Promotion

app = typer.Typer(
    name="registry",
    help="Model versions in MLflow: register, fetch, lineage, promotion.\n\n"
    "Example: omnireel registry lineage generator@champion --out lineage.svg",
    no_args_is_help=True,
)

Mlflow = Annotated[str, typer.Option("--mlflow", help="MLflow tracking address.")]
Reference = Annotated[
    str, typer.Argument(metavar="REF", help="NAME/3, NAME@champion, or the start of a hash.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_MLFLOW = "sqlite:///runs/mlflow.db"


@app.command("list")
def list_versions(
    name: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
    mlflow: Mlflow = _MLFLOW,
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
def show(reference: Reference, mlflow: Mlflow = _MLFLOW, as_json: AsJson = False) -> None:
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
    name: Annotated[str, typer.Option(help="Of the model; made when it is not there.")],
    run: Annotated[str | None, typer.Option(help="MLflow run that trained it.")] = None,
    parent: Annotated[
        list[str] | None, typer.Option(help="Version that it was made from (repeatable).")
    ] = None,
    data_manifest: Annotated[
        Path | None, typer.Option(help="Manifest file of its training data.")
    ] = None,
    artifacts: Annotated[
        str | None,
        typer.Option(help="Where a new database keeps files, as s3://bucket/prefix."),
    ] = None,
    answer: Annotated[
        Path | None, typer.Option(help="Also write the reference to this file.")
    ] = None,
    mlflow: Mlflow = _MLFLOW,
) -> None:
    """Make a component folder a model version; the same content again stays the same version.

    Example: omnireel registry register out/generator --name generator --parent generator/3
    """
    from omnireel.registry.publishing import DataManifest
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
    if answer is not None:
        from omnireel.cli.gate import write_answer

        write_answer(answer, version.ref)


@app.command("fetch")
def fetch(
    reference: Reference,
    folder: Annotated[Path, typer.Option("--out", help="Component folder to write.")],
    mlflow: Mlflow = _MLFLOW,
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
        bool, typer.Option("--pinned", help="Refuse references that may move, as NAME@champion.")
    ] = False,
    mlflow: Mlflow = _MLFLOW,
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
        list[str], typer.Argument(help="As s3://bucket?endpoint=http://host:port (repeatable).")
    ],
) -> None:
    """Make buckets that are not there. Example: omnireel registry buckets s3://models."""
    from omnireel.errors import InvalidInput
    from omnireel.store.open import open_store
    from omnireel.store.s3 import S3Store

    stores = [open_store(address) for address in addresses]
    for address, store in zip(addresses, stores, strict=True):
        if not isinstance(store, S3Store):
            raise InvalidInput(f"{address} is no bucket", field="addresses")
        store.ensure_bucket()
        out().print(f"{address.partition('?')[0]}: there", markup=False)


@app.command("champion")
def champion(
    name: Annotated[str, typer.Argument(help="Of the model.")],
    answer: Annotated[
        Path | None, typer.Option(help="Write the reference, or 'none', to this file.")
    ] = None,
    mlflow: Mlflow = _MLFLOW,
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
    alias: Annotated[str, typer.Argument(help="Name to point at it.")],
    mlflow: Mlflow = _MLFLOW,
) -> None:
    """Point an alias at a version. Example: omnireel registry alias generator/3 teacher."""
    from omnireel.registry.publishing import set_alias

    version = set_alias(reference, alias, tracking_uri=mlflow)
    out().print(f"{version.name}@{alias} is {version.ref}")


@app.command("lineage")
def lineage(
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="NAME (its newest version), NAME@alias, NAME/3.")
    ],
    picture: Annotated[
        Path | None, typer.Option("--out", help="Also draw it: file.svg or file.png.")
    ] = None,
    mlflow: Mlflow = _MLFLOW,
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


@app.command("judge")
def judge(
    reference: Reference,
    folder: Annotated[Path, typer.Option("--work", help="Folder for models and results.")],
    size: Annotated[str, typer.Option(help="Whose gates: tiny.")] = "tiny",
    smoke: Annotated[bool, typer.Option(help="As few cases as the gates allow.")] = False,
    answer: Annotated[
        Path | None,
        typer.Option(help="Write 'passed' or 'refused' to this file, and exit with 0 either way."),
    ] = None,
    verdict_file: Annotated[
        Path | None, typer.Option("--out", help="Write the verdict, for 'registry promote'.")
    ] = None,
    mlflow: Mlflow = _MLFLOW,
) -> None:
    """Measure a version and the champion, and hold it against the bars of its part.

    Example: omnireel registry judge generator/4 --work runs/judged-4 --out runs/judged-4.json
    """
    from omnireel.cli.gate import conclude
    from omnireel.cli.printing import err
    from omnireel.recipes.release_gate import judge_release

    verdict = judge_release(
        reference, size, folder, smoke=smoke, tracking_uri=mlflow, report=err().print
    )
    conclude(verdict, answer, verdict_file)


@app.command("promote")
def promote(
    reference: Reference,
    results: Annotated[
        Path | None, typer.Option(help="results.json of 'omnireel eval quick'.")
    ] = None,
    verdict_file: Annotated[
        Path | None, typer.Option("--verdict", help="Of 'omnireel registry judge', in its place.")
    ] = None,
    champion_results: Annotated[
        Path | None, typer.Option(help="The champion's, on the same cases.")
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(help="SCORE=VALUE: least lower bound, as C20/recognisable=0.6 (repeatable)."),
    ] = None,
    no_worse: Annotated[
        list[str] | None,
        typer.Option(help="SCORE=LOSS: tolerated loss against the champion (repeatable)."),
    ] = None,
    gsb: Annotated[
        float | None, typer.Option(help="Least lower bound of GSB against the champion.")
    ] = None,
    min_count: Annotated[int, typer.Option(help="Least observations behind a score.")] = 8,
    tie_margin: Annotated[
        float | None, typer.Option(min=0.0, help="Mean scores this near are the same, for GSB.")
    ] = None,
    mlflow: Mlflow = _MLFLOW,
) -> None:
    """Make a version the champion, if it passes the gate.

    Example: omnireel registry promote generator/4 --results new/results.json
    --champion-results old/results.json --require mean=0.5 --no-worse mean=0.01 --gsb 0.95
    """
    from omnireel.cli.parsing import named_numbers
    from omnireel.errors import InvalidInput
    from omnireel.evaluate.gate import GateConfig, decide
    from omnireel.registry.promotion import promote as promote_version

    if verdict_file is not None:
        from omnireel.recipes.release_gate import read_verdict

        judged = read_verdict(verdict_file)
        _print_promotion(promote_version(reference, judged, tracking_uri=mlflow))
        return
    if results is None:
        raise InvalidInput("say --results or --verdict: nothing is known of it", field="--results")
    config = GateConfig(
        named_numbers(require or (), "--require", "--require mean=0.5"),
        named_numbers(no_worse or (), "--no-worse", "--no-worse mean=0.01"),
        gsb,
        min_count,
    )
    measured = _measured(reference, results, champion_results, tie_margin, mlflow)
    verdict = decide(measured, config)
    for reason in verdict.reasons:
        mark, style = ("passed", "green") if reason.passed else ("failed", "bold red")
        out().print(Text.assemble((mark, style), f"  {reason.line}"))
    _print_promotion(promote_version(reference, verdict, tracking_uri=mlflow))


@app.command("rollback")
def rollback(
    name: Annotated[str, typer.Argument(help="Of the model.")], mlflow: Mlflow = _MLFLOW
) -> None:
    """Restore the previous champion. Example: omnireel registry rollback generator."""
    from omnireel.registry.promotion import rollback as roll_back

    _print_promotion(roll_back(name, tracking_uri=mlflow))


def _print_promotion(done: Promotion) -> None:
    before = f" (before: {done.previous.ref})" if done.previous else " (the first one)"
    out().print(f"{done.version.name}@champion is {done.version.ref}{before}")


def _measured(
    reference: str, results: Path, champion_results: Path | None, tie_margin: float | None, uri: str
) -> Measured:
    """Scores of the candidate; with a champion, compared with it."""
    from omnireel.errors import InvalidInput
    from omnireel.evaluate.gate_scores import measure, read_results
    from omnireel.evaluate.summary import TIE_MARGIN
    from omnireel.registry.versions import Registry

    registry = Registry.open(uri)
    version = registry.resolve(reference)
    champion = registry.champion(version.name)
    if champion is not None and champion.number != version.number and champion_results is None:
        raise InvalidInput(
            f"{champion.ref} is the champion; measure it on the same cases with 'omnireel eval "
            "quick' and give its results with --champion-results",
            field="--champion-results",
        )
    margin = TIE_MARGIN if tie_margin is None else tie_margin
    theirs = read_results(champion_results) if champion_results else None
    return measure(read_results(results), theirs, tie_margin=margin)
