"""Helm and kubectl as an administrator of one namespace calls them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support.charts import Object, helm


class KubectlRefused(Exception):
    """Its own words."""


class Kube:
    """A cluster behind a kubeconfig, in one namespace."""

    def __init__(self, kubeconfig: Path, kubectl: Path, namespace: str) -> None:
        self.namespace = namespace
        self.kubeconfig = kubeconfig
        self._command = [str(kubectl), "--kubeconfig", str(kubeconfig), "-n", namespace]

    def helm(self, *words: str, values: Object | None = None) -> str:
        """Raises HelmRefused."""
        return helm(
            *words, "--kubeconfig", str(self.kubeconfig), "-n", self.namespace, values=values
        )

    def kubectl(self, *words: str, text: str = "") -> str:
        """Raises KubectlRefused."""
        done = subprocess.run(
            [*self._command, *words], input=text, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise KubectlRefused(done.stderr)
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A kubectl that goes on running."""
        return subprocess.Popen(
            [*self._command, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def get(self, *words: str) -> Any:
        """An object, or a list of them."""
        found = json.loads(self.kubectl("get", *words, "-o", "json"))
        return found["items"] if found["kind"] == "List" else found

    def names(self, *kinds: str) -> set[str]:
        """``kind/name`` of everything of these kinds."""
        return set(self.kubectl("get", ",".join(kinds), "-o", "name").split())
