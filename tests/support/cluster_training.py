"""The training chart as it is installed in the test cluster, and commands of who trains there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.charts import TRAINING, Object
from tests.support.cluster_images import SERVERS, TRAINER, reference
from tests.support.kube import Kube
from tests.support.step_pods import RESTRICTED

NAMESPACE = "training"
NAME = "training"
SERVERS_FILE = Path(__file__).parents[1] / "cluster" / "training_servers.yaml"
PATIENCE_S = 900.0
POD = {"cpu": "100m", "memory": "512Mi"}
ACCESS = {"AWS_ACCESS_KEY_ID": "omnireel-test", "AWS_SECRET_ACCESS_KEY": "omnireel-test-secret"}
MLFLOW = ("admin", "admin-test-password")
VALUES: Object = {
    "image": {**reference(TRAINER), "pullPolicy": "Never"},
    "runtime": {
        "resources": {"requests": POD, "limits": {"memory": "4Gi"}},
        "env": [{"name": "OMP_NUM_THREADS", "value": "1"}],
    },
    "storage": {
        "existingSecret": "omnireel-storage", "endpoint": "http://s3:9000", "port": 9000,
        "buckets": ["mlflow", "checkpoints"], "runs": {"size": "1Gi"},
    },
    # Room for two nodes: one job runs, and the next one waits.
    "queues": {"enabled": True, "quota": {"cpu": "250m", "memory": "2Gi"}},
    "mlflow": {
        "existingSecret": "omnireel-mlflow", "artifacts": "s3://mlflow/runs", "workers": 1,
        "resources": {"requests": {"cpu": "50m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
    },
}  # fmt: skip


@dataclass
class Command:
    """``omnireel ...`` that goes on running, and what it has said."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as said:
            for line in said:
                self.lines.append(line.rstrip())

    def ended(self) -> int:
        """Wait for its status."""
        status = self.process.wait(PATIENCE_S)
        self._reader.join()
        return status

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def steps(self) -> list[int]:
        """Steps that the log has told of, in their order."""
        return [int(number) for number in re.findall(r"^step (\d+)/", self.said, re.MULTILINE)]


class Training:
    """The installed chart, and the command line on this machine, outside of the cluster."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self._started: list[Command] = []

    def install(self) -> None:
        """As docs/kubeflow.md says."""
        self.kube.kubectl("create", "namespace", NAMESPACE)
        label = "pod-security.kubernetes.io/enforce=restricted"
        self.kube.kubectl("label", "namespace", NAMESPACE, label)
        servers = SERVERS_FILE.read_text().replace("IMAGE", SERVERS)
        self.kube.kubectl("apply", "-f", "-", text=servers)
        self.kube.kubectl(
            "wait", "--for=condition=Ready", "pod/postgresql", "pod/s3", "--timeout=5m"
        )
        # Without --wait: the claim of the runs is bound when the first job comes.
        self.kube.helm("install", NAME, str(TRAINING), values=VALUES)
        self.kube.kubectl("rollout", "status", "deploy/omnireel-mlflow", "--timeout=10m")
        buckets = f"job/{NAME}-omnireel-training-buckets-1"
        self.kube.kubectl("wait", "--for=condition=Complete", buckets, "--timeout=5m")

    def address(self, service: str) -> str:
        """The cluster's own address of a Service, with its first port."""
        spec = self.kube.get("service", service)["spec"]
        return f"{spec['clusterIP']}:{spec['ports'][0]['port']}"

    def store(self, name: str) -> str:
        """The store of a run, as one outside of the cluster names it."""
        return f"s3://checkpoints/{name}?endpoint=http://{self.address('s3')}"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``omnireel`` with these words, to its end."""
        return subprocess.run(
            self._command(*words), env=self._environment(), capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    def train(self, name: str, *settings: str, job: str = "") -> Command:
        """A recipe on two nodes, with its folder, its store and its run called ``name``."""
        where = f"namespace={NAMESPACE},queue=omnireel,nodes=2,processes=1"
        words = ["train", "generator-debug", "--launcher", "trainjob", "--job", where]
        words += ["--job", job] if job else []
        words += ["--out", f"/runs/{name}", "--cache", "/runs/cache"]
        words += ["--mlflow", "http://omnireel-mlflow:5000"]
        words += ["--copy-to", f"s3://checkpoints/{name}?endpoint=http://s3:9000"]
        changes = ("trainer.accumulate=2", "trainer.parallel.zero=2", *settings)
        words += [part for change in changes for part in ("--set", change)]
        process = subprocess.Popen(
            self._command(*words), env=self._environment(), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._started.append(command := Command(process))
        return command

    def stop(self) -> None:
        """End what a test has left: commands, jobs and their pods."""
        for command in self._started:
            command.process.kill()
            command.ended()
        self._started.clear()
        self.kube.kubectl("delete", "pod", "-l", "app=step", "--now")
        self.kube.kubectl("delete", "trainjobs", "--all")
        self.kube.kubectl(
            "wait", "pod", "-l", "jobset.sigs.k8s.io/jobset-name", "--for=delete", "--timeout=3m"
        )

    def inside(self, account: str, *command: str, runs: bool = False) -> str:
        """What a command says in a pod of the training image with this account, at its end.

        ``runs``: with the volume of the runs.
        """
        security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        container = {
            "name": "inside", "image": TRAINER, "imagePullPolicy": "Never", "command": command,
            "env": [{"name": "HOME", "value": "/tmp"}], "securityContext": security,
            "volumeMounts": [{"name": "runs", "mountPath": "/runs"}],
        }  # fmt: skip
        claim = {"persistentVolumeClaim": {"claimName": "omnireel-runs"}}
        spec = {
            "volumes": [{"name": "runs", **(claim if runs else {"emptyDir": {}})}],
            "restartPolicy": "Never", "serviceAccountName": account, "containers": [container],
            "securityContext": RESTRICTED,
        }  # fmt: skip
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "inside"}, "spec": spec}
        self.kube.kubectl("apply", "-f", "-", text=json.dumps(pod))
        try:
            done = "--for=jsonpath={.status.phase}=Succeeded"
            self.kube.kubectl("wait", done, "pod/inside", "--timeout=3m")
        finally:
            said = self.kube.kubectl("logs", "inside")
            self.kube.kubectl("delete", "pod", "inside", "--now")
        return said

    def volume(self) -> Path:
        """The folder of this machine in which /runs lies."""
        claim = self.kube.get("pvc", "omnireel-runs")
        volume = self.kube.get("pv", claim["spec"]["volumeName"])
        return Path(volume["spec"]["local"]["path"])

    def jobs(self) -> dict[str, str]:
        """State by name, as ``omnireel train jobs list`` shows it."""
        done = self.run("train", "jobs", "list", "--namespace", NAMESPACE)
        assert done.returncode == 0, done.stderr
        lines = [line.split() for line in done.stdout.splitlines() if line != "no jobs"]
        return {words[0]: words[1] for words in lines}

    def pods(self, job: str) -> list[Object]:
        """Of a job."""
        found: list[Object] = self.kube.get("pods", "-l", f"jobset.sigs.k8s.io/jobset-name={job}")
        return found

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "omnireel.cli.main", *words]

    def _environment(self) -> dict[str, str]:
        config = {"KUBECONFIG": str(self.kube.kubeconfig), "COLUMNS": "200"}
        return {**os.environ, **ACCESS, **config, "NO_PROXY": "*"}


def until(what: str, holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Wait for something.

    Raises:
        AssertionError: it did not come.
    """
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, f"not in {patience_s:.0f} s: {what}"
        time.sleep(1)
