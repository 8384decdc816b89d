"""Build the programs of the cluster from Go modules, once per content of their go.sum files."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).parent / "modules"
CACHE = Path.home() / ".cache" / "omnireel" / "cluster"


@dataclass(frozen=True)
class Program:
    """One binary: its name, the module under ``modules/`` that pins it, and its package."""

    name: str
    module: str
    package: str


_KUBERNETES = "k8s.io/kubernetes/cmd"
_PLUGINS = "github.com/containernetworking/plugins/plugins"
API = (
    Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    Program("kube-apiserver", "kubernetes", f"{_KUBERNETES}/kube-apiserver"),
    Program("kubectl", "kubernetes", f"{_KUBERNETES}/kubectl"),
)
NODE = (
    Program("kube-controller-manager", "kubernetes", f"{_KUBERNETES}/kube-controller-manager"),
    Program("kube-scheduler", "kubernetes", f"{_KUBERNETES}/kube-scheduler"),
    Program("kubelet", "kubernetes", f"{_KUBERNETES}/kubelet"),
    Program("kube-proxy", "kubernetes", f"{_KUBERNETES}/kube-proxy"),
    Program("bridge", "network", f"{_PLUGINS}/main/bridge"),
    Program("loopback", "network", f"{_PLUGINS}/main/loopback"),
    Program("host-local", "network", f"{_PLUGINS}/ipam/host-local"),
    Program("pause", "network", "./pause"),
    Program("coredns", "dns", "github.com/coredns/coredns"),
)
TRAINING = (
    Program("jobset", "jobset", "sigs.k8s.io/jobset"),
    Program("trainer", "trainer", "github.com/kubeflow/trainer/v2/cmd/trainer-controller-manager"),
    Program("kueue", "kueue", "sigs.k8s.io/kueue/cmd/kueue"),
)
"""The controllers of training jobs."""


class BuildError(RuntimeError):
    """A program cannot be built; the message says why."""


def build(programs: tuple[Program, ...]) -> dict[str, Path]:
    """The binaries of ``programs`` by name; what the cache lacks is built.

    Raises:
        BuildError: there is no ``go``, or it says no.
    """
    return {program.name: _build(program) for program in programs}


def cached(programs: tuple[Program, ...]) -> dict[str, Path] | None:
    """The binaries of ``programs``, or None when one is not built yet."""
    paths = {program.name: _path(program) for program in programs}
    return paths if all(path.exists() for path in paths.values()) else None


def _path(program: Program) -> Path:
    digest = hashlib.sha256((MODULES / program.module / "go.sum").read_bytes()).hexdigest()[:16]
    return CACHE / f"{program.module}-{digest}" / program.name


def _build(program: Program) -> Path:
    path = _path(program)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two that start at once build it once
        if path.exists():
            return path
        go = shutil.which("go")
        if go is None:
            raise BuildError("building the cluster needs Go 1.26 or newer (`go` on the PATH)")
        print(f"building {program.name} ...", file=sys.stderr, flush=True)
        began = time.monotonic()
        partial = path.with_suffix(".partial")
        done = subprocess.run(
            ["nice", "-n", "5", go, "build", "-trimpath", "-mod=readonly",
             "-ldflags", _ldflags(program.module), "-o", str(partial), program.package],
            cwd=MODULES / program.module,
            env={**os.environ, "CGO_ENABLED": "0"},
        )  # fmt: skip
        if done.returncode:
            raise BuildError(f"{program.name} cannot be built; see the lines above")
        partial.rename(path)
        print(f"built {program.name} in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return path


def _ldflags(module: str) -> str:
    """Small binaries; Kubernetes' clients misbehave unless the servers know their version."""
    if module != "kubernetes":
        return "-s -w"
    text = (MODULES / module / "go.mod").read_text()
    found = re.search(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\.\d+)", text)
    assert found is not None, "go.mod names no version of k8s.io/kubernetes"
    version, major, minor = found.groups()
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor,
              "gitCommit": version, "gitTreeState": "clean"}  # fmt: skip
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    flags = [f"-X {package}.{key}={value}" for package in packages for key, value in values.items()]
    return " ".join(["-s", "-w", *flags])


PARTS = {"api": API, "all": API + NODE, "training": TRAINING}

if __name__ == "__main__":
    try:
        build(PARTS[sys.argv[1]])
    except BuildError as error:
        sys.exit(f"error: {error}")
