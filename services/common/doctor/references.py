"""What the objects of a chart name without bringing it themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Reference:
    """``kind`` and ``name`` of something that must be there; ``keys`` that it must hold, and the
    first object that names it, as ``Kind/name``."""

    kind: str
    name: str
    keys: tuple[str, ...] = ()
    named_by: str = ""


def references(objects: Sequence[Object]) -> list[Reference]:
    """Each thing once, with all keys that are asked of it; what ``objects`` bring is left out."""
    brought = {(o["kind"], o["metadata"]["name"]) for o in objects}
    found: dict[tuple[str, str], Reference] = {}
    for each in objects:
        named_by = f"{each['kind']}/{each['metadata']['name']}"
        for kind, name, keys in _named(each):
            if (kind, name) in brought:
                continue
            known = found.get((kind, name))
            every = tuple(dict.fromkeys((*(known.keys if known else ()), *keys)))
            by = known.named_by if known else named_by
            found[kind, name] = Reference(kind, name, every, by)
    return list(found.values())


def pod_specs(objects: Sequence[Object]) -> Iterator[tuple[str, Object]]:
    """Every pod's spec, with the object that makes it."""
    for each in objects:
        template = each.get("spec", {}).get("template", {})
        if isinstance(template, dict) and "containers" in template.get("spec", {}):
            yield f"{each['kind']}/{each['metadata']['name']}", template["spec"]


Named = Iterator[tuple[str, str, tuple[str, ...]]]


def _named(each: Object) -> Named:
    spec = each.get("spec", {})
    for _, pod in pod_specs([each]):
        yield from _of_pod(pod)
    for claim in spec.get("volumeClaimTemplates", ()):
        # Without a name it is the cluster's default.
        yield "StorageClass", claim["spec"].get("storageClassName", ""), ()
    if each["kind"] == "Ingress":
        if "ingressClassName" in spec:
            yield "IngressClass", spec["ingressClassName"], ()
        for tls in spec.get("tls", ()):
            yield "Secret", tls["secretName"], ("tls.crt", "tls.key")


def _of_pod(pod: Object) -> Named:
    for secret in pod.get("imagePullSecrets", ()):
        yield "Secret", secret["name"], (".dockerconfigjson",)
    for kind, field in (
        ("PriorityClass", "priorityClassName"),
        ("RuntimeClass", "runtimeClassName"),
    ):
        if field in pod:
            yield kind, pod[field], ()
    for volume in pod.get("volumes", ()):
        yield from _of_volume(volume)
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        for source in container.get("envFrom", ()):
            for kind, field in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
                if field in source:
                    yield kind, source[field]["name"], ()
        for variable in container.get("env", ()):
            source = variable.get("valueFrom", {})
            for kind, field in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
                if field in source:
                    yield kind, source[field]["name"], (source[field]["key"],)


def _of_volume(volume: Object) -> Named:
    for kind, field, name in (
        ("Secret", "secret", "secretName"),
        ("ConfigMap", "configMap", "name"),
        ("PersistentVolumeClaim", "persistentVolumeClaim", "claimName"),
    ):
        if field in volume:
            keys = tuple(item["key"] for item in volume[field].get("items", ()))
            yield kind, volume[field][name], keys
