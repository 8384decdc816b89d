"""JobSet, the Kubeflow Trainer and Kueue in a running cluster, by their modules' manifests."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra.cluster.build import API, MODULES, TRAINING, build
from infra.cluster.config import ClusterConfig
from infra.cluster.daemons import NotStarted
from infra.cluster.images import load_program

READY_S = 300
"""The first certificates take up to two minutes; until then every webhook refuses."""
MANAGER = "/manager"
FRAMEWORKS = ["batch/job", "jobset.x-k8s.io/jobset", "trainer.kubeflow.org/trainjob"]
"""What Kueue queues."""
HOOKS = {"kueue.x-k8s.io", "batch", "jobset.x-k8s.io", "trainer.kubeflow.org"}
"""API groups that its webhooks are asked about."""


@dataclass(frozen=True)
class Controller:
    """One of them: where its manifests are, and an object that its webhooks must take."""

    name: str
    module: str
    manifests: str
    """Folder of the module,"""
    kustomization: str
    """and the one in it that is rendered."""
    namespace: str
    deployment: str
    probe: dict[str, Any]

    @property
    def image(self) -> str:
        """Holds its program and nothing else."""
        return f"localhost/omnireel-test/{self.name}:1"


_POD = {"restartPolicy": "Never", "containers": [{"name": "node", "image": "none"}]}
_JOB = {"name": "node", "template": {"spec": {"template": {"spec": _POD}}}}
CONTROLLERS = (
    Controller(
        "jobset", "sigs.k8s.io/jobset", "config", "default",
        "jobset-system", "jobset-controller-manager",
        {
            "apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet",
            "metadata": {"name": "probe"}, "spec": {"replicatedJobs": [_JOB]},
        },
    ),
    Controller(
        "trainer", "github.com/kubeflow/trainer/v2", "manifests", "overlays/manager",
        "kubeflow-system", "kubeflow-trainer-controller-manager",
        {
            "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainingRuntime",
            "metadata": {"name": "probe"},
            "spec": {"template": {"spec": {"replicatedJobs": [_JOB]}}},
        },
    ),
    Controller(
        "kueue", "sigs.k8s.io/kueue", "config", "default",
        "kueue-system", "kueue-controller-manager",
        {
            "apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ResourceFlavor",
            "metadata": {"name": "probe"}, "spec": {},
        },
    ),
)  # fmt: skip


def install(config: ClusterConfig) -> None:
    """Install all three; when it returns, each has answered as a webhook.

    Raises:
        BuildError, ImageError, NotStarted: one cannot be built, or does not get ready.
    """
    programs = build(TRAINING)
    kubectl = [str(build(API)["kubectl"]), "--kubeconfig", str(config.kubeconfig)]
    for each in CONTROLLERS:
        load_program(config, each.image, programs[each.name], MANAGER)
        _run([*kubectl, "apply", "--server-side", "-f", "-"], _manifests(each, kubectl[0]))
    deadline = time.monotonic() + READY_S
    for each in CONTROLLERS:
        wait = ["rollout", "status", f"deployment/{each.deployment}", f"--timeout={READY_S}s"]
        _run([*kubectl, "-n", each.namespace, *wait])
        _until_answered(kubectl, each, deadline)


def _until_answered(kubectl: list[str], each: Controller, deadline: float) -> None:
    question = [*kubectl, "create", "--dry-run=server", "-f", "-"]
    while True:
        try:
            return _run(question, json.dumps(each.probe))
        except NotStarted:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _manifests(each: Controller, kubectl: str) -> str:
    """As their authors render them, with our images, and small enough for a small node."""
    with tempfile.TemporaryDirectory(prefix=f"{each.name}-") as name:
        folder = Path(name) / "manifests"
        shutil.copytree(_module(each) / each.manifests, folder)
        for path in (folder, *folder.rglob("*")):  # files of the module cache are read-only
            path.chmod(0o755)
        top = folder / each.kustomization / "kustomization.yaml"
        lines = top.read_text(encoding="utf-8").splitlines()
        # JobSet is installed already; there it comes from the network.
        kept = [line for line in lines if "third-party/jobset" not in line]
        top.write_text("\n".join(kept), encoding="utf-8")
        said = subprocess.run(
            [kubectl, "kustomize", str(top.parent)], capture_output=True, text=True, check=False
        )
        if said.returncode:
            raise NotStarted(f"the manifests of {each.name} cannot be rendered: {said.stderr}")
    documents = [_changed(d, each) for d in yaml.safe_load_all(said.stdout) if d]
    # Kueue's second API would have to answer before any namespace can go.
    return yaml.safe_dump_all([d for d in documents if d["kind"] != "APIService"])


def _changed(document: dict[str, Any], each: Controller) -> dict[str, Any]:
    kind = document["kind"]
    if kind == "Deployment":
        for container in document["spec"]["template"]["spec"]["containers"]:
            container |= {"image": each.image, "imagePullPolicy": "Never"}
            container["resources"] = {"requests": {"cpu": "10m", "memory": "64Mi"}}
    elif each.name == "kueue" and kind == "ConfigMap":
        for file, text in document["data"].items():
            settings = yaml.safe_load(text)
            settings["integrations"]["frameworks"] = FRAMEWORKS
            document["data"][file] = yaml.safe_dump(settings)
    elif each.name == "kueue" and kind.endswith("WebhookConfiguration"):
        document["webhooks"] = [hook for hook in document["webhooks"] if _groups(hook) <= HOOKS]
    return document


def _groups(hook: dict[str, Any]) -> set[str]:
    return {group for rule in hook["rules"] for group in rule["apiGroups"]}


def _module(each: Controller) -> Path:
    """The module's files, as Go has them."""
    said = subprocess.run(
        ["go", "mod", "download", "-json", each.module],
        cwd=MODULES / each.name, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if said.returncode:
        raise NotStarted(f"{each.module} cannot be had: {said.stdout}{said.stderr}")
    return Path(json.loads(said.stdout)["Dir"])


def _run(command: list[str], text: str = "") -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotStarted(done.stderr.strip())
