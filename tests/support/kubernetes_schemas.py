"""The published schemas of Kubernetes and of the custom resources that the charts use.

They are files in Go modules, which `go mod download` fetches into its cache and checks against the
checksum database; nothing is built. Unknown fields are errors, as under strict field validation.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from tests.support.programs import MissingProgram

KUBERNETES = "k8s.io/kubernetes@v1.37.1"
CUSTOM = {
    "cert-manager.io": ("github.com/cert-manager/cert-manager@v1.21.2", "deploy/crds"),
    "gateway.networking.k8s.io": ("sigs.k8s.io/gateway-api@v1.6.3", "config/crd/standard"),
    "kueue.x-k8s.io": ("sigs.k8s.io/kueue@v0.19.2", "config/components/crd/bases"),
    "trainer.kubeflow.org": ("github.com/kubeflow/trainer/v2@v2.3.0", "manifests/base/crds"),
    "keda.sh": ("github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases"),
    "monitoring.coreos.com": (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd",
    ),
}
Schema = dict[str, Any]


class _Loader(yaml.CSafeLoader):
    """Takes a bare ``=`` as the text that it is; some definitions list it as an operator."""


_Loader.add_constructor("tag:yaml.org,2002:value", _Loader.construct_yaml_str)


def mistakes(each: dict[str, Any]) -> list[str]:
    """What the published schema has against an object, with the path of each field."""
    validator = _validator(each["apiVersion"], each["kind"])
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(each)]


@cache
def _validator(api_version: str, kind: str) -> Draft202012Validator:
    group, _, version = api_version.rpartition("/")
    find = _custom if group in CUSTOM else _built_in
    return Draft202012Validator(_strict(find(group, version, kind)))


def _built_in(group: str, version: str, kind: str) -> Schema:
    name = f"apis__{group}__{version}" if group else f"api__{version}"
    path = _module(KUBERNETES) / "api" / "openapi-spec" / "v3" / f"{name}_openapi.json"
    parts = json.loads(path.read_text())["components"]["schemas"]
    wanted = {"group": group, "version": version, "kind": kind}
    (found,) = [
        part for part, schema in parts.items()
        if wanted in schema.get("x-kubernetes-group-version-kind", ())
    ]  # fmt: skip
    return {"$ref": f"#/components/schemas/{found}", "components": {"schemas": parts}}


def definition(group: str, kind: str) -> Schema:
    """The CustomResourceDefinition of a kind."""
    module, folder = CUSTOM[group]
    home = _module(module) / folder
    (path,) = [p for s in ("s", "es") for p in home.glob(f"*_{kind.lower()}{s}.yaml")]
    found: Schema = yaml.load(path.read_text(), _Loader)
    return found


def _custom(group: str, version: str, kind: str) -> Schema:
    versions = definition(group, kind)["spec"]["versions"]
    (found,) = [each for each in versions if each["name"] == version]
    schema: Schema = found["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def _strict(schema: Any) -> Any:
    """The same, taking only fields that it names, and without what is JSON Schema in name only."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _strict(part) for key, part in schema.items()}
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    named = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if named and not schema.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    return found


@cache
def _module(module: str) -> Path:
    go = shutil.which("go")
    if go is None:
        raise MissingProgram("go is not installed; it fetches the schemas")
    with tempfile.TemporaryDirectory() as folder:  # so that no go.mod has a say
        done = subprocess.run(
            [go, "mod", "download", "-json", module],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
    return Path(json.loads(done.stdout)["Dir"])
