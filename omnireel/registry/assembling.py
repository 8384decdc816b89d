"""A version of the registry with what it stands on, side by side, as pipelines load a model."""

from __future__ import annotations

from pathlib import Path

from omnireel.errors import FailedPrecondition
from omnireel.registry.publishing import fetch
from omnireel.registry.tracking import DEFAULT_TRACKING_URI
from omnireel.registry.versions import ModelVersion, Registry


def assemble(
    reference: str, out: Path, *, tracking_uri: str = DEFAULT_TRACKING_URI
) -> tuple[ModelVersion, ...]:
    """Download a version to ``out/<kind>``, and the autoencoder of its lineage to ``out/vae``.

    An enhancer that stands on none comes alone.

    Raises:
        NotFound: no such version.
        FailedPrecondition: it needs an autoencoder and its lineage has none.
        IntegrityError: the stored files are not what was registered.
        Unavailable: MLflow or its artefact store does not answer.

    """
    registry = Registry.open(tracking_uri)
    version = registry.resolve(reference)
    parts = [version]
    vae = _autoencoder(registry, version)
    if vae is not None:
        parts.append(vae)
    elif version.kind in ("generator", "upscaler"):
        raise FailedPrecondition(
            f"{version.ref} does not say which autoencoder it belongs to; register the component "
            f"of {_root(registry, version).ref} again, with --parent NAME/NUMBER of one"
        )
    out.mkdir(parents=True, exist_ok=True)
    return tuple(fetch(part.ref, out / part.kind, tracking_uri=tracking_uri) for part in parts)


def _root(registry: Registry, version: ModelVersion) -> ModelVersion:
    """What a version goes back to by its first parents."""
    while version.parents:
        version = registry.resolve(version.parents[0])
    return version


def _autoencoder(registry: Registry, version: ModelVersion) -> ModelVersion | None:
    """The nearest one among what a version was made from; None for one itself."""
    generation = [version] if version.kind != "vae" else []
    while generation:
        generation = [registry.resolve(parent) for v in generation for parent in v.parents]
        for ancestor in generation:
            if ancestor.kind == "vae":
                return ancestor
    return None
