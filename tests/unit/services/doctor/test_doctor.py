"""What an installation would lack is said in one sentence each."""

from __future__ import annotations

import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.errors import FailedPrecondition, Unavailable
from services.common.doctor.cluster import Kubectl
from services.common.doctor.questions import problems
from services.common.doctor.references import Reference, references
from tests.support.charts import PRODUCTION, Object, render

NODE = {"metadata": {"labels": {"zone": "a"}}, "status": {"allocatable": {"cpu": "8"}}}


class PretendCluster:
    """A cluster by what is in it: (kind, name) to keys."""

    def __init__(self, things: dict[tuple[str, str], set[str]], version: tuple[int, int] = (1, 37)):
        self._things = {("Namespace", "ns"): set[str](), **things}
        self._version = version
        self.default_class, self.against = True, list[str]()

    def version(self) -> tuple[int, int]:
        return self._version

    def exists(self, kind: str, name: str) -> bool:
        return (kind, name) in self._things

    def keys(self, kind: str, name: str) -> set[str]:
        return self._things[kind, name]

    def nodes(self) -> list[dict[str, Any]]:
        return [NODE]

    def default_storage_class(self) -> bool:
        return self.default_class

    def refusals(self, objects: Sequence[dict[str, Any]]) -> list[str]:
        return self.against


COMPLETE = {
    ("Secret", "database"): {"url"},
    ("Secret", "broker"): {"url"},
    ("Secret", "s3"): {"access-key", "secret-key"},
}


def found(cluster: PretendCluster, *values: Object, dev: bool = False) -> list[str]:
    rendered = render(*values, dev=True) if dev else render(PRODUCTION, *values)
    return list(problems(cluster, "ns", rendered.objects))


def test_what_a_chart_names_without_bringing_it() -> None:
    assert set(references(render(PRODUCTION).objects)) == {
        Reference("Secret", "database", ("url",), "Deployment/r-omnireel-gateway"),
        Reference("Secret", "broker", ("url",), "Deployment/r-omnireel-worker"),
        Reference("Secret", "s3", ("access-key", "secret-key"), "Deployment/r-omnireel-gateway"),
    }
    # What is tried out with its own servers needs a volume of the default class, and no more.
    (storage,) = references(render(dev=True).objects)
    assert (storage.kind, storage.name) == ("StorageClass", "")


def test_a_complete_cluster_needs_nothing() -> None:
    assert found(PretendCluster(COMPLETE)) == []
    assert found(PretendCluster({}), dev=True) == []


def test_each_thing_that_is_missing_is_named() -> None:
    things = {("Secret", "broker"): {"url"}, ("Secret", "s3"): {"access-key"}}
    values = {
        "trust": {"configMap": "authorities"},
        "weights": {"source": "pvc", "pvc": {"claimName": "weights"}},
        "generator": {"runtimeClassName": "nvidia"},
    }
    lines = found(PretendCluster(things), values)
    assert len(lines) == 5
    (database,) = [line for line in lines if "'database'" in line]
    assert database.endswith(
        "make it with `kubectl -n ns create secret generic database --from-literal=url=...`"
    )
    assert any("Secret 's3' has no key 'secret-key'" in line for line in lines)
    for name in ("'authorities'", "'weights'", "'nvidia'"):
        assert any(name in line for line in lines)


def test_without_a_namespace_nothing_else_is_asked() -> None:
    cluster = PretendCluster({})
    cluster._things.clear()
    (line,) = found(cluster)
    assert "kubectl create namespace ns" in line


def test_devices_and_nodes_that_are_not_there() -> None:
    values = {
        "generator": {"resources": {"limits": {"nvidia.com/gpu": 1}}},
        "superResolver": {"nodeSelector": {"zone": "b"}},
    }
    lines = found(PretendCluster(COMPLETE), values)
    assert lines == [
        "Deployment/r-omnireel-generator asks for nvidia.com/gpu, which no node that it may run on "
        "has",
        "Deployment/r-omnireel-super-resolver wants a node with zone=b, and there is none",
    ]


def test_old_clusters() -> None:
    image = {"weights": {"source": "image", "image": {"reference": "registry/weights:7"}}}
    old = PretendCluster(COMPLETE, version=(1, 30))
    assert "needs Kubernetes 1.31 or newer" in found(old)[0]
    lines = found(PretendCluster(COMPLETE, version=(1, 33)), image)
    assert len(lines) == 3 and all("mounts an image" in line for line in lines)


def test_a_cluster_without_storage_and_what_the_server_says() -> None:
    cluster = PretendCluster({})
    cluster.default_class, cluster.against = False, ["no kind ServiceMonitor"]
    assert found(cluster, dev=True) == [
        "StatefulSet/r-omnireel-dev-postgresql needs a default StorageClass, and there is none: "
        "name one in the values",
        "the API server refuses: no kind ServiceMonitor",
    ]


def kubectl(folder: Path, out: str = "", err: str = "", status: int = 0) -> Kubectl:
    """A program that says the same to everything."""
    path = folder / "kubectl"
    path.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"sys.stdout.write({out!r}); sys.stderr.write({err!r}); sys.exit({status})\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return Kubectl(str(path), "ns")


def test_kubectl_is_understood(tmp_path: Path) -> None:
    version = '{"serverVersion": {"major": "1", "minor": "37+"}}'
    assert kubectl(tmp_path, version).version() == (1, 37)
    assert kubectl(tmp_path, "url\nother\n").keys("Secret", "x") == {"url", "other"}
    missing = kubectl(tmp_path, err='Error from server (NotFound): secrets "x" not found', status=1)
    assert not missing.exists("Secret", "x")
    refused = kubectl(tmp_path, err="Error from server (Forbidden): secrets is forbidden", status=1)
    with pytest.raises(FailedPrecondition, match="you may not look"):
        refused.exists("Secret", "x")
    assert refused.refusals([]) == ["(Forbidden): secrets is forbidden"]
    with pytest.raises(Unavailable, match="connection refused"):
        kubectl(tmp_path, err="The connection: connection refused", status=1).version()


def test_the_verb_says_what_to_look_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 2
    assert "omnireel doctor --kube" in result.output
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(app, ["doctor", "--kube"])
    assert result.exit_code == 1
    assert "kubectl is not on the PATH" in result.output
