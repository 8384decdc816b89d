"""What a version can still be told when its content is registered again: parents and data.

What it tells already stays as it is, so whoever tells something else is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from omnireel.errors import AlreadyExists, InvalidInput
from omnireel.registry.data_manifest import DataManifest
from omnireel.registry.lineage import made_from
from omnireel.registry.tracking import mlflow_errors
from omnireel.registry.versions import TAG, ModelVersion, Registry


def completed(
    registry: Registry,
    version: ModelVersion,
    parents: tuple[str, ...],
    data_manifest: DataManifest | None,
) -> ModelVersion:
    """``version`` with what it did not tell yet; what it tells stays."""
    tags: dict[str, str] = {}
    # Training that changed nothing leaves the version that it began with.
    if parents and version.ref not in parents and set(parents) != set(version.parents):
        if version.parents:
            raise _told_otherwise(version, "parents", version.parents, parents)
        _check_no_circle(registry, version, parents)
        tags["parents"] = ",".join(parents)
    if data_manifest is not None and data_manifest.sha256 != version.data_manifest:
        if version.data_manifest:
            told, given = version.data_manifest[:12], data_manifest.sha256[:12]
            raise _told_otherwise(version, "data manifest", [told], [given])
        tags |= {"data": data_manifest.name, "data_manifest": data_manifest.sha256}
    if not tags:
        return version
    with mlflow_errors(registry.tracking_uri):
        for key, value in tags.items():
            registry.client.set_model_version_tag(
                version.name, str(version.number), TAG + key, value
            )
    return registry.resolve(version.ref)


def _told_otherwise(
    version: ModelVersion, what: str, told: Sequence[str], given: Sequence[str]
) -> AlreadyExists:
    return AlreadyExists(
        f"{version.ref} holds this content already and has the {what} {', '.join(told)}, not "
        f"{', '.join(given)}; leave that out, or register under another --name"
    )


def _check_no_circle(registry: Registry, version: ModelVersion, parents: Sequence[str]) -> None:
    versions = registry.versions()
    for parent in parents:
        if version.ref in made_from(versions, parent):
            raise InvalidInput(
                f"{parent} was made from {version.ref}, so it cannot be its parent; give others",
                field="parents",
            )
