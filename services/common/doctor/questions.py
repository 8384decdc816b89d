"""Is everything there that these objects need? Each no is one sentence with its remedy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.common.doctor.cluster import Cluster
from services.common.doctor.references import Object, Reference, pod_specs, references

OLDEST = (1, 31)
IMAGE_VOLUMES = (1, 35)
_OWN_RESOURCES = ("cpu", "memory", "ephemeral-storage", "hugepages")


def problems(cluster: Cluster, namespace: str, objects: Sequence[Object]) -> Iterator[str]:
    """What would go wrong with ``objects``, in the order in which to mend it."""
    version = cluster.version()
    if version < OLDEST:
        yield f"the cluster is {_dotted(version)}; this chart needs {_dotted(OLDEST)} or newer"
    if not cluster.exists("Namespace", namespace):
        yield (
            f"there is no namespace {namespace!r}: make it with `kubectl create namespace "
            f"{namespace}`, with the Secrets that your values name"
        )
        return
    for reference in references(objects):
        yield from _missing(cluster, namespace, reference)
    yield from _placement(cluster, version, objects)
    yield from (f"the API server refuses: {line}" for line in cluster.refusals(objects))


def _missing(cluster: Cluster, namespace: str, reference: Reference) -> Iterator[str]:
    kind, name, by = reference.kind, reference.name, reference.named_by
    if kind == "StorageClass" and not name:
        if not cluster.default_storage_class():
            yield f"{by} needs a default StorageClass, and there is none: name one in the values"
        return
    if not cluster.exists(kind, name):
        make = ""
        if kind == "Secret":
            keys = "".join(f" --from-literal={key}=..." for key in reference.keys)
            make = f": make it with `kubectl -n {namespace} create secret generic {name}{keys}`"
        yield f"there is no {kind} {name!r}, which {by} needs{make}"
    elif reference.keys:
        for key in sorted(set(reference.keys) - cluster.keys(kind, name)):
            yield f"the {kind} {name!r} has no key {key!r}, which {by} needs"


def _placement(
    cluster: Cluster, version: tuple[int, int], objects: Sequence[Object]
) -> Iterator[str]:
    nodes = cluster.nodes()
    for by, pod in pod_specs(objects):
        if version < IMAGE_VOLUMES and any("image" in v for v in pod.get("volumes", ())):
            yield f"{by} mounts an image, which needs {_dotted(IMAGE_VOLUMES)}"
        wanted = pod.get("nodeSelector", {}).items()
        fitting = [n for n in nodes if wanted <= n["metadata"].get("labels", {}).items()]
        if not fitting:
            labels = ", ".join(f"{key}={value}" for key, value in wanted)
            yield f"{by} wants a node with {labels or 'any labels'}, and there is none"
            continue
        for device in sorted(_devices(pod)):
            if not any(int(n["status"]["allocatable"].get(device, 0)) for n in fitting):
                yield f"{by} asks for {device}, which no node that it may run on has"


def _devices(pod: Object) -> set[str]:
    asked = {
        name
        for container in pod["containers"]
        for amounts in container.get("resources", {}).values()
        if isinstance(amounts, dict)
        for name in amounts
    }
    return {name for name in asked if not name.startswith(_OWN_RESOURCES)}


def _dotted(version: tuple[int, int]) -> str:
    return f"Kubernetes {version[0]}.{version[1]}"
