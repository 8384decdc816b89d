"""The same by kind, on a machine with Docker: ``make cluster PROVIDER=kind``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from infra.cluster.daemons import NotStarted

NAME = "omnireel-test"
KUBECONFIG = Path.home() / ".kube" / NAME


def up() -> None:
    """Bring a cluster of one node up.

    Raises:
        NotStarted: kind or Docker is not there, or says no.
    """
    _kind("create", "cluster", "--name", NAME, "--kubeconfig", str(KUBECONFIG), "--wait", "2m")
    print(f"export KUBECONFIG={KUBECONFIG}")
    print(f"images: kind load docker-image NAME --name {NAME}; then imagePullPolicy: Never")


def down() -> None:
    """Take it away.

    Raises:
        NotStarted: see :func:`up`.
    """
    _kind("delete", "cluster", "--name", NAME, "--kubeconfig", str(KUBECONFIG))
    KUBECONFIG.unlink(missing_ok=True)


def _kind(*words: str) -> None:
    for program in ("docker", "kind"):
        if shutil.which(program) is None:
            raise NotStarted(f"{program} is missing; `make cluster` without PROVIDER needs neither")
    if subprocess.run(["kind", *words], check=False).returncode:
        raise NotStarted(f"kind {words[0]} did not do it; see the lines above")
