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

    Raises:
        NotFound: no such version.
        FailedPrecondition: it names no autoencoder and is none.
        IntegrityError: the stored files are not what was registered.
        Unavailable: MLflow or its artefact store does not answer.

    """
    registry = Registry.open(tracking_uri)
    version = registry.resolve(reference)
    parts = [version]
    if version.kind != "vae":
        parents = [registry.resolve(parent) for parent in version.parents]
        vae = next((parent for parent in parents if parent.kind == "vae"), None)
        if vae is None:
            raise FailedPrecondition(
                f"{version.ref} does not say which autoencoder it stands on; register it with "
                "--parent NAME/NUMBER of one"
            )
        parts.append(vae)
    out.mkdir(parents=True, exist_ok=True)
    return tuple(fetch(part.ref, out / part.kind, tracking_uri=tracking_uri) for part in parts)
