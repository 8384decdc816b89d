"""Questions to a cluster, asked through kubectl with whatever rights its user has."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import yaml

from omnireel.errors import FailedPrecondition, Unavailable

TIMEOUT_S = 60
_NOT_FOUND = re.compile(r"\(NotFound\)|not found")
_KEYS = "{{range $key, $_ := .data}}{{$key}}\n{{end}}"


class Cluster(Protocol):
    """What the doctor asks."""

    def version(self) -> tuple[int, int]:
        """Major and minor version."""
        ...

    def exists(self, kind: str, name: str) -> bool:
        """Whether it is there, in the namespace if it is of one."""
        ...

    def keys(self, kind: str, name: str) -> set[str]:
        """The keys of a Secret or ConfigMap; never what they hold."""
        ...

    def nodes(self) -> list[dict[str, Any]]:
        """Every node."""
        ...

    def default_storage_class(self) -> bool:
        """Whether there is one."""
        ...

    def refusals(self, objects: Sequence[dict[str, Any]]) -> list[str]:
        """What the API server says against these objects (a server-side dry run)."""
        ...


@dataclass(frozen=True)
class Kubectl:
    """A :class:`Cluster` behind kubectl's present context, or ``context``."""

    program: str
    namespace: str
    context: str = ""

    def version(self) -> tuple[int, int]:
        """See :class:`Cluster`.

        Raises:
            Unavailable: the cluster does not answer.
        """
        server = json.loads(self._run("version", "-o", "json")).get("serverVersion")
        if server is None:
            raise Unavailable("the cluster does not say its version")
        return int(server["major"]), int(re.sub(r"\D", "", server["minor"]))

    def exists(self, kind: str, name: str) -> bool:
        """See :class:`Cluster`."""
        return self._find("get", kind, name, "-o", "name") is not None

    def keys(self, kind: str, name: str) -> set[str]:
        """See :class:`Cluster`."""
        return set((self._find("get", kind, name, "-o", f"go-template={_KEYS}") or "").split())

    def nodes(self) -> list[dict[str, Any]]:
        """See :class:`Cluster`."""
        found: list[dict[str, Any]] = json.loads(self._run("get", "nodes", "-o", "json"))["items"]
        return found

    def default_storage_class(self) -> bool:
        """See :class:`Cluster`."""
        classes = json.loads(self._run("get", "storageclasses", "-o", "json"))["items"]
        mark = "storageclass.kubernetes.io/is-default-class"
        return any(c["metadata"].get("annotations", {}).get(mark) == "true" for c in classes)

    def refusals(self, objects: Sequence[dict[str, Any]]) -> list[str]:
        """See :class:`Cluster`."""
        done = self._call("apply", "--dry-run=server", "-f", "-", text=yaml.dump_all(objects))
        return [] if done.returncode == 0 else [_line(line) for line in done.stderr.splitlines()]

    def _find(self, *arguments: str) -> str | None:
        """Its output, or None when there is no such thing (or kind of thing)."""
        done = self._call(*arguments)
        if done.returncode and not _NOT_FOUND.search(done.stderr):
            raise _failure(done.stderr)
        return None if done.returncode else done.stdout

    def _run(self, *arguments: str) -> str:
        done = self._call(*arguments)
        if done.returncode:
            raise _failure(done.stderr)
        return done.stdout

    def _call(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        where = ("--context", self.context) if self.context else ()
        command = (self.program, *where, "-n", self.namespace, *arguments)
        try:
            return subprocess.run(
                command, input=text, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"the cluster does not answer within {TIMEOUT_S} s") from error


def _failure(words: str) -> Exception:
    line = _line(words.strip().splitlines()[-1]) if words.strip() else "kubectl says nothing"
    if "Forbidden" in words:
        return FailedPrecondition(f"you may not look: {line}")
    return Unavailable(f"the cluster does not answer: {line}")


def _line(words: str) -> str:
    return words.strip().removeprefix("error: ").removeprefix("Error from server ")
