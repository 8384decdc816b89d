"""Component folders into the registry, and out of it again.

1. :func:`register` checks the folder against its own card;
2. uploads it to MLflow's artefact store (a logged model, in the run's experiment), once for each
   content: an upload that was cut off is taken up again;
3. creates the version with all its tags at once;
4. :func:`fetch` downloads, checks every file against the card, and the whole against the tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

from omnireel.errors import IntegrityError, InvalidInput, NotFound, OmnireelError
from omnireel.registry.completing import completed
from omnireel.registry.component import check_place, is_component, verify
from omnireel.registry.data_manifest import DataManifest
from omnireel.registry.folders import atomic_folder
from omnireel.registry.reference import check_alias, check_name
from omnireel.registry.tracking import (
    DEFAULT_TRACKING_URI,
    experiment_id,
    mlflow_errors,
    not_found,
)
from omnireel.registry.versions import (
    CHAMPION,
    TAG,
    ModelVersion,
    Registry,
    content_hash,
    weights_hash,
)

_MAX_DESCRIPTION = 5000


def register(
    component_folder: Path,
    *,
    name: str,
    run_id: str | None = None,
    parents: Sequence[str] = (),
    data_manifest: DataManifest | None = None,
    tracking_uri: str = DEFAULT_TRACKING_URI,
    artifact_root: str | None = None,
) -> ModelVersion:
    """Make a component folder a version of ``name``; the same content again is the same version.

    Args:
        component_folder: what :func:`omnireel.registry.save_component` wrote.
        name: of the registered model; made when it is not there.
        run_id: MLflow run that trained it; a version keeps the one that it was made with.
        parents: references of the versions that it was made from; kept as ``name/number``.
        data_manifest: of its training data.
        tracking_uri: MLflow's address.
        artifact_root: where a new experiment keeps its files (``s3://bucket/prefix``).

    Returns:
        The new version; or the one that holds this content already, with the parents and the data
        manifest if it had none.

    Raises:
        AlreadyExists: this content is there with other parents or another data manifest.
        NotFound: the folder, a parent or the run does not exist.
        IntegrityError: the folder does not match its card.
        InvalidInput: no valid name, or the name holds components of another kind.
        ResourceExhausted: no space left.
        Unavailable: MLflow does not answer.

    """
    check_name(name)
    card = verify(component_folder)
    registry = Registry.open(tracking_uri, create=True)
    digest = content_hash(card)
    versions = registry.versions(name)
    if versions and versions[0].kind != card["kind"]:
        raise InvalidInput(
            f"{name!r} holds {versions[0].kind} components; register this {card['kind']} under "
            "another name",
            field="name",
        )
    parent_refs = tuple(dict.fromkeys(registry.resolve(p).ref for p in parents))
    if existing := next((v for v in versions if v.content_hash == digest), None):
        return completed(registry, existing, parent_refs, data_manifest)
    tags = {
        "kind": str(card["kind"]),
        "content_hash": digest,
        "weights_hash": weights_hash(card),
        "recipe": str(card.get("recipe", "")),
        "git_revision": str(card.get("git_revision", "")),
        "parents": ",".join(parent_refs),
        "data": data_manifest.name if data_manifest else str(card.get("data", "")),
        "data_manifest": data_manifest.sha256 if data_manifest else "",
    }
    tags = {TAG + key: value for key, value in tags.items() if value}
    experiment = _experiment(registry, run_id, artifact_root)
    model = _upload(registry, component_folder, name, experiment, run_id, digest)
    return _create(registry, component_folder, name, model, run_id, tags)


def fetch(reference: str, out: Path, *, tracking_uri: str = DEFAULT_TRACKING_URI) -> ModelVersion:
    """Download a version to ``out``, which appears whole and checked, or not at all.

    Nothing is loaded when ``out`` holds that very content already.

    Raises:
        NotFound: no such version, or its files are gone.
        InvalidInput: ``out`` is a folder with something else in it.
        IntegrityError: the stored files are not what was registered.
        ResourceExhausted: the disk is full.
        Unavailable: MLflow or its artefact store does not answer.

    """
    registry = Registry.open(tracking_uri)
    version = registry.resolve(reference)
    check_place(out)
    if _holds(out, version):
        return version
    source = urlsplit(version.source)
    if source.scheme == "file" and not Path(unquote(source.path)).is_dir():
        raise NotFound(f"the files of {version.ref} are missing from {version.source}")
    with atomic_folder(out) as work, TemporaryDirectory(dir=out.parent, prefix=".fetch-") as raw:
        with mlflow_errors(tracking_uri):
            from mlflow.artifacts import download_artifacts

            loaded = download_artifacts(
                artifact_uri=version.source, dst_path=raw, tracking_uri=tracking_uri
            )
        for path in sorted(Path(loaded).iterdir()):
            path.rename(work / path.name)
        _check(work, version)
    return version


def set_alias(
    reference: str, alias: str, *, tracking_uri: str = DEFAULT_TRACKING_URI
) -> ModelVersion:
    """Point an alias at a version. ``champion`` is refused: it moves only through promotion."""
    _check_not_champion(alias, "promote")
    registry = Registry.open(tracking_uri)
    version = registry.resolve(reference)
    with mlflow_errors(tracking_uri):
        registry.client.set_registered_model_alias(version.name, alias, str(version.number))
    return registry.resolve(version.ref)


def drop_alias(
    reference: str, alias: str, *, tracking_uri: str = DEFAULT_TRACKING_URI
) -> ModelVersion:
    """Take an alias off a version that has it; others are left alone. Never ``champion``."""
    _check_not_champion(alias, "rollback")
    registry = Registry.open(tracking_uri)
    version = registry.resolve(reference)
    if alias in version.aliases:
        with mlflow_errors(tracking_uri):
            registry.client.delete_registered_model_alias(version.name, alias)
    return registry.resolve(version.ref)


def _check_not_champion(alias: str, verb: str) -> None:
    if check_alias(alias) == CHAMPION:
        raise InvalidInput(
            f"{CHAMPION!r} moves only through a gate: use 'omnireel registry {verb}'",
            field="alias",
        )


def _experiment(registry: Registry, run_id: str | None, artifact_root: str | None) -> str:
    if run_id is None:
        return experiment_id(registry.client, registry.tracking_uri, artifact_root)
    with mlflow_errors(registry.tracking_uri):
        try:
            return str(registry.client.get_run(run_id).info.experiment_id)
        except Exception as error:
            if not_found(error):
                raise NotFound(f"no run {run_id!r} at {registry.tracking_uri}") from error
            raise


def _upload(
    registry: Registry, folder: Path, name: str, experiment: str, run_id: str | None, digest: str
) -> Any:
    """MLflow's logged model that holds the files. A finished upload is not repeated."""
    client = registry.client
    with mlflow_errors(registry.tracking_uri):
        stored = client.search_logged_models(
            [experiment],
            filter_string=f"name = '{name}' AND tags.`{TAG}content_hash` = '{digest}'",
        )
        model = next(iter(stored), None) or client.create_logged_model(
            experiment, name=name, source_run_id=run_id, tags={TAG + "content_hash": digest}
        )
        if str(model.status) != "READY":
            client.log_model_artifacts(model.model_id, str(folder))
            client.finalize_logged_model(model.model_id, "READY")
    return model


def _create(
    registry: Registry,
    folder: Path,
    name: str,
    model: Any,
    run_id: str | None,
    tags: dict[str, str],
) -> ModelVersion:
    client = registry.client
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    with mlflow_errors(registry.tracking_uri):
        _create_model(client, name)
        source = str(model.artifact_location)
        # A server that keeps the files takes them only with the model that they are of; without one
        # MLflow would look for the model in its default database.
        kept = model.model_id if source.startswith("mlflow-artifacts:") else None
        made = client.create_model_version(
            name, source, run_id=run_id, tags=tags, description=text[:_MAX_DESCRIPTION],
            model_id=kept,
        )  # fmt: skip
    # MLflow cannot promise unique content: of two that were made at once the older one stays.
    first = registry.with_content(name, tags[TAG + "content_hash"])
    if first is not None and first.number != int(made.version):
        with mlflow_errors(registry.tracking_uri):
            client.delete_model_version(name, str(made.version))
        return first
    return registry.resolve(f"{name}/{made.version}")


def _create_model(client: Any, name: str) -> None:
    try:
        client.create_registered_model(name)
    except Exception as error:
        if getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
            raise


def _holds(folder: Path, version: ModelVersion) -> bool:
    if not is_component(folder):
        return False
    try:
        return content_hash(verify(folder)) == version.content_hash
    except (IntegrityError, NotFound):
        return False  # a damaged copy is replaced


def _check(folder: Path, version: ModelVersion) -> None:
    try:
        found = content_hash(verify(folder))
    except OmnireelError as error:
        what = error.message.replace(f"{folder}/", "")
        raise IntegrityError(f"{version.ref} in {version.source} is damaged: {what}") from error
    if found != version.content_hash:
        raise IntegrityError(
            f"{version.ref} in {version.source} is not what was registered: its content hash is "
            f"{found[:12]}, the registry recorded {version.content_hash[:12]}"
        )
