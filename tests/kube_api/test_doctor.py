"""`omnireel doctor --kube` before an installation, through kubectl and helm."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.cluster.control_plane import Api
from tests.support.charts import OMNIREEL, PRODUCTION, Object, merged
from tests.support.kube_objects import KubeObjects

NODE: Object = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "paper", "labels": {"zone": "a"}},
}


@pytest.fixture(scope="module")
def with_secrets(objects: KubeObjects) -> KubeObjects:
    for name, keys in {"database": ["url"], "s3": ["access-key", "secret-key"]}.items():
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
        objects.apply({**secret, "stringData": dict.fromkeys(keys, "x")}, namespace="ns")
    objects.apply(NODE)
    return objects


def doctor(api: Api, kubectl: Path, tmp_path: Path, values: Object) -> tuple[int, list[str]]:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    binaries = (str(Path(sys.executable).parent), str(kubectl.parent), os.environ["PATH"])
    done = subprocess.run(
        [sys.executable, "-m", "omnireel.cli.main", "doctor", "--kube", "-n", "ns",
         "--chart", str(OMNIREEL), "-f", str(file)],
        env={**os.environ, "KUBECONFIG": str(api.kubeconfig), "PATH": os.pathsep.join(binaries)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, [line for line in done.stdout.splitlines() if line.startswith("- ")]


def test_each_lack_is_one_line(
    api: Api, binaries: dict[str, Path], with_secrets: KubeObjects, tmp_path: Path
) -> None:
    code, lines = doctor(api, binaries["kubectl"], tmp_path, PRODUCTION)
    assert code != 0
    (line,) = lines
    assert "Secret 'broker'" in line

    with_secrets.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "broker"},
         "stringData": {"url": "x"}},
        namespace="ns",
    )  # fmt: skip
    assert doctor(api, binaries["kubectl"], tmp_path, PRODUCTION) == (0, [])

    nowhere = {"generator": {"nodeSelector": {"zone": "b"}}}
    code, (line,) = doctor(api, binaries["kubectl"], tmp_path, merged(PRODUCTION, nowhere))
    assert code != 0
    assert "zone" in line
