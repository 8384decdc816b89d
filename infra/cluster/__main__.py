"""``python -m infra.cluster up|kubeflow|down``: a Kubernetes of one node, for tests."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from infra.cluster import kind, kubeflow, machine
from infra.cluster.build import API, NODE, BuildError, build
from infra.cluster.config import ClusterConfig
from infra.cluster.control_plane import Api, start_api
from infra.cluster.daemons import Daemons, NotStarted
from infra.cluster.images import ImageError, load_program
from infra.cluster.node import PAUSE, start_containerd, start_network, start_node
from infra.cluster.storage import volumes

PROGRAMS = ("containerd", "ctr", "runc", "nft", "ip", "buildah")
DEBIAN = ("containerd", "runc", "nftables", "iproute2", "buildah")
READY_S = 120


class Refused(RuntimeError):
    """The machine is not one for a cluster; the message says what to do."""


def up(config: ClusterConfig) -> None:
    """Bring the cluster up; its node is Ready when this returns.

    Raises:
        Refused, BuildError, NotStarted, ImageError: it cannot be; what was started is still there.
    """
    _check(config)
    binaries = build(API + NODE)
    began = time.monotonic()
    config.home.mkdir(parents=True, mode=0o755)
    machine.remember(config)
    daemons = Daemons(config.home / "daemons")
    start_network(config, binaries)
    start_containerd(config, daemons)
    load_program(config, PAUSE, binaries["pause"], "/pause")
    api = start_api(config.api, config.home, binaries, daemons)
    _start_controllers(config, api, binaries, daemons)
    start_node(config, api, binaries, daemons)
    kubectl = [str(binaries["kubectl"]), "--kubeconfig", str(config.kubeconfig)]
    _until_ready(kubectl, config)
    subprocess.run(
        [*kubectl, "apply", "-f", "-"], input=volumes(config), text=True, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    print(f"ready after {time.monotonic() - began:.0f} s")
    print(f"export KUBECONFIG={config.kubeconfig} PATH={binaries['kubectl'].parent}:$PATH")


def down(config: ClusterConfig) -> None:
    """Take the cluster away with all that it made."""
    if not config.home.exists():
        print("there is no cluster")
        return
    daemons = Daemons(config.home / "daemons")
    daemons.stop("kubelet", "kube-controller-manager", "kube-scheduler")
    machine.end_pods(config)
    daemons.stop()
    machine.restore(config)
    print("gone")


def _check(config: ClusterConfig) -> None:
    if os.geteuid() != 0:
        raise Refused("a node needs root; run this as root, on a machine that you may change")
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        raise Refused(f"{missing[0]} is missing; on Debian: apt-get install {' '.join(DEBIAN)}")
    if config.home.exists():
        raise Refused(f"{config.home} is there: a cluster is up, or was; first: make cluster-down")


def _start_controllers(
    config: ClusterConfig, api: Api, binaries: dict[str, Path], daemons: Daemons
) -> None:
    for name in ("kube-controller-manager", "kube-scheduler"):
        kubeconfig = api.authority.kubeconfig(api.config.url, f"system:{name}")
        flags = {
            "kubeconfig": kubeconfig,
            "authentication-kubeconfig": kubeconfig,
            "authorization-kubeconfig": kubeconfig,
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
        }
        if name == "kube-controller-manager":
            flags |= {
                "root-ca-file": api.authority.ca,
                "service-account-private-key-file": api.service_account_key,
                "use-service-account-credentials": "true",
            }
        daemons.start(name, [str(binaries[name]), *(f"--{k}={v}" for k, v in flags.items())])


def _until_ready(kubectl: list[str], config: ClusterConfig) -> None:
    deadline = time.monotonic() + READY_S
    question = [*kubectl, "wait", "--for=condition=Ready", f"node/{config.node}", "--timeout=5s"]
    while subprocess.run(question, capture_output=True, check=False).returncode:
        if time.monotonic() > deadline:
            raise NotStarted(f"the node is not ready; see {config.home}/daemons/kubelet.log")
        time.sleep(0.3)


def _by_kind(what: str) -> None:
    if what == "kubeflow":
        raise Refused(
            "kind pulls images: install the Kubeflow Trainer and Kueue as their pages say"
        )
    {"up": kind.up, "down": kind.down}[what]()


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="make cluster", description=__doc__)
    parser.add_argument("what", choices=("up", "kubeflow", "down"))
    parser.add_argument("--provider", choices=("programs", "kind"), default="programs")
    given = parser.parse_args()
    try:
        if given.provider == "kind":
            _by_kind(given.what)
        else:
            {"up": up, "kubeflow": kubeflow.install, "down": down}[given.what](ClusterConfig())
    except (Refused, BuildError, NotStarted, ImageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
