"""Where a model is served from: a link to a folder, or a Deployment of a cluster.

Both remember what they served before, so that one step back is always possible; and both do nothing
when they are asked for what is there already.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from omnireel.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    Unavailable,
)

VERSION = "omnireel.dev/model-version"
PREVIOUS_VERSION = "omnireel.dev/previous-model-version"
PREVIOUS_WEIGHTS = "omnireel.dev/previous-weights"


class Target(Protocol):
    """One place that serves one model."""

    def put(self, version: str, weights: Path) -> bool:
        """Serve ``weights`` as ``version``; False: it was there already."""

    def undo(self, only: Path | None = None) -> str:
        """Serve what was served before; its version or path. With ``only``: if that is served now,
        and otherwise nothing is done, and the answer is empty."""


@dataclass(frozen=True)
class WaitConfig:
    """How long new pods may take to be ready."""

    replica_s: float = 1200.0
    """For each replica, as they are replaced one by one; more than the chart's `startupSeconds`."""
    poll_s: float = 3.0

    def __post_init__(self) -> None:
        if not self.replica_s >= 0:
            raise InvalidInput("wait_s must be 0 or more", field="wait_s")


def open_target(text: str, wait: WaitConfig | None = None) -> Target:
    """``folder:/absolute/link`` or ``deployment:[NAMESPACE/]NAME``.

    Raises:
        InvalidInput: neither.

    """
    kind, _, rest = text.partition(":")
    if kind == "folder" and rest.startswith("/"):
        return FolderTarget(Path(rest))
    if kind == "deployment" and rest:
        from omnireel.cli.rollout.deployment import DeploymentTarget

        namespace, _, name = rest.rpartition("/")
        return DeploymentTarget.connect(name, namespace, wait)
    raise InvalidInput(
        f"{text!r} is not a place to serve from; write folder:/absolute/link or "
        "deployment:NAMESPACE/NAME",
        field="target",
    )


@dataclass(frozen=True)
class FolderTarget:
    """A symbolic link that a service's weights setting names; the service reads it when it starts.

    Beside it, ``<link>.previous`` leads to what was served before.
    """

    link: Path

    @property
    def _previous(self) -> Path:
        return self.link.with_name(f"{self.link.name}.previous")

    def put(self, version: str, weights: Path) -> bool:
        """Let the link lead to ``weights``."""
        del version
        weights = weights.resolve()
        if not any((weights / part).is_dir() for part in ("generator", "upscaler", "enhancer")):
            raise NotFound(
                f"{weights} is not a model folder: it has no generator, upscaler or enhancer"
            )
        if self.link.exists() and not self.link.is_symlink():
            raise InvalidInput(f"{self.link} is not a link; choose another place", field="target")
        if self.link.is_symlink():
            if self.link.readlink() == weights:
                return False
            _point(self._previous, self.link.readlink())
        _point(self.link, weights)
        return True

    def undo(self, only: Path | None = None) -> str:
        """Let the link lead to where it led before; a first model is taken out of service."""
        served = self.link.readlink() if self.link.is_symlink() else None
        if only is not None and served != only.resolve():
            return ""
        if served is None:
            raise FailedPrecondition(f"{self.link} serves nothing")
        if not self._previous.is_symlink():
            self.link.unlink()
            return "nothing"
        before = self._previous.readlink()
        _point(self.link, before)
        self._previous.unlink()
        return str(before)


def _point(link: Path, target: Path) -> None:
    """Set a link in one step; a reader finds the old or the new, never none."""
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def wait_until(done: Callable[[], bool], timeout_s: float, poll_s: float, what: str) -> None:
    """Ask every ``poll_s`` seconds until it is so. Nobody knows while the API does not answer, so
    then it is asked again as well.

    Raises:
        DeadlineExceeded: it took longer than ``timeout_s``.
        Unavailable: the same, and the API does not answer.

    """
    deadline = time.monotonic() + timeout_s
    while True:
        silent: Unavailable | None = None
        try:
            if done():
                return
        except Unavailable as error:
            silent = error
        if time.monotonic() > deadline:
            raise silent or DeadlineExceeded(f"{what} within {timeout_s:g} s")
        time.sleep(poll_s)


def rolled_out(deployment: Any) -> bool:
    """Whether every replica is new and available (what ``kubectl rollout status`` asks)."""
    status, wanted = deployment.status, deployment.spec.replicas or 0
    return (
        (status.observed_generation or 0) >= deployment.metadata.generation
        and (status.updated_replicas or 0) >= wanted
        and (status.replicas or 0) <= (status.updated_replicas or 0)
        and (status.available_replicas or 0) >= wanted
    )
