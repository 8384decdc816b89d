"""The cluster leaves its machine as it was, with pods running in it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from infra.cluster import machine
from infra.cluster.__main__ import down, up
from infra.cluster.config import ClusterConfig
from infra.cluster.images import load
from infra.images.base import NAME as BASE
from tests.support.cluster_release import Ledger
from tests.support.kube import Kube

ASK = "import urllib.request; print(urllib.request.urlopen('http://page.default.svc/').status)"
THINGS = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: page}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: page}
spec: {selector: {app: page}, ports: [{port: 80, targetPort: 8000}]}
---
apiVersion: v1
kind: Pod
metadata: {name: page, labels: {app: page}}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: page
      image: IMAGE
      imagePullPolicy: Never
      command: [python3, -m, http.server, "8000", --directory, /data]
      readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}
      volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: page}}]
"""


def state() -> dict[str, set[str]]:
    """Of everything that a cluster changes on a machine, its own or not."""
    sysctls = (Path("/proc/sys") / name for name in machine.SYSCTLS)
    return {
        "mounts": set(Path("/proc/self/mounts").read_text().splitlines()),
        "links": {line.split(": ")[1] for line in said("ip", "-o", "link")},
        "addresses": set(said("ip", "-brief", "address")),
        "routes": set(said("ip", "route")),
        "nftables": set(said("nft", "list", "tables")),
        "network namespaces": set(said("ip", "netns")),
        "cgroups": {str(path) for path in machine.CGROUPS.glob("*/*") if path.is_dir()},
        "sysctls": {f"{path} {path.read_text()}" for path in sysctls},
        "folders": {str(path) for path in machine.FOLDERS if path.exists()},
    }


def said(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_nothing_is_left(
    config: ClusterConfig, kubectl: Path, images: tuple[str, ...], ledger: Ledger
) -> None:
    before = state()
    up(config)
    try:
        kube = Kube(config.kubeconfig, kubectl, "default")
        load(config, BASE)
        kube.kubectl("apply", "-f", "-", text=THINGS.replace("IMAGE", BASE))
        kube.kubectl("wait", "--for=condition=Ready", "pod/page", "--timeout=2m")
        # By its name, through the Service and back into the same pod.
        assert kube.kubectl("exec", "page", "--", "python3", "-c", ASK).strip() == "200"
        assert "GET / HTTP/1.1" in kube.kubectl("logs", "page")
        seen = " ".join(machine.traces(config))
        for trace in ("process", "mount", "cgroup", "link omni", "nftables", "folder"):
            assert trace in seen
    finally:
        began = time.monotonic()
        down(config)
        ledger.note("cluster down, with a pod", began)
    assert machine.traces(config) == []
    assert state() == before
