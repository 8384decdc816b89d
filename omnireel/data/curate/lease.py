"""Who works on an output: one machine at a time.

1. Whoever wants to work puts an object of its own beside the others' and then looks: where another
   one lives, it takes its own away and refuses. Of two that start at once at least one sees the
   other, because both put before they look.
2. A thread puts the object anew now and then. One that was not for :attr:`LeaseConfig.expires_s`
   is of a machine that died, and counts for nothing. Ages are differences between times of the
   store, so the machines' clocks may differ.
3. A holder that could not renew in time stops: somebody else may work there by now.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from omnireel.errors import FailedPrecondition, NotFound, OmnireelError
from omnireel.store.base import ObjectInfo, ObjectStore

_PATIENCE_S = 5.0
"""How long whoever gives a lease back waits for a renewal that is under way."""


@dataclass(frozen=True)
class LeaseConfig:
    """``prefix`` of the leases' keys; one that is not renewed for ``expires_s`` is void."""

    prefix: str = "work/lease/"
    expires_s: float = 120.0
    renew_s: float = 30.0


class Lease:
    """The right to work on ``where``; use :func:`leased`."""

    def __init__(self, store: ObjectStore, where: str, config: LeaseConfig) -> None:
        self._store, self._where, self._config = store, where, config
        self._key = f"{config.prefix}{uuid.uuid4().hex}"
        self._renewed_s = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def check(self) -> None:
        """Refuse to go on without the right to.

        Raises:
            FailedPrecondition: it could not be renewed in time.

        """
        if time.monotonic() - self._renewed_s > self._config.expires_s:
            raise FailedPrecondition(
                f"{self._where} could not be reached for {self._config.expires_s:.0f} s, so others "
                "may work there now; run the same command again to resume"
            )

    def take(self) -> None:
        """Take it, or refuse.

        Raises:
            FailedPrecondition: somebody else works there.

        """
        self._put()
        mine = self._store.stat(self._store.uri(self._key))
        try:
            for other in list(self._store.list(self._config.prefix)):
                if other.key != self._key:
                    self._pass_by(other, (mine.modified_at - other.modified_at).total_seconds())
        except BaseException:
            self.release()
            raise
        self._thread.start()

    def release(self) -> None:
        """Give it back."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_S)
        with suppress(OmnireelError):  # it expires by itself
            self._store.delete(self._store.uri(self._key))

    def _pass_by(self, other: ObjectInfo, age_s: float) -> None:
        """Clear away what a dead machine left; refuse beside a living one."""
        try:
            holder = json.loads(self._store.get(other.uri))
        except NotFound:  # given back since it was listed
            return
        if age_s < self._config.expires_s and not _died_here(holder):
            raise FailedPrecondition(
                f"process {holder['pid']} of {holder['host']} works on {self._where}; wait for it, "
                "or choose another output (if it was killed, run this again in "
                f"{self._config.expires_s - max(0.0, age_s):.0f} s)"
            )
        self._store.delete(other.uri)

    def _put(self) -> None:
        began = time.monotonic()
        self._store.put(self._key, json.dumps(_self()).encode())
        self._renewed_s = began

    def _renew(self) -> None:
        while not self._done.wait(self._config.renew_s):
            with suppress(OmnireelError, OSError):  # `check` tells when it has been too long
                self._put()
        with suppress(OmnireelError, OSError):  # nobody may have waited for the last renewal
            self._store.delete(self._store.uri(self._key))


@contextmanager
def leased(store: ObjectStore, where: str, config: LeaseConfig | None = None) -> Iterator[Lease]:
    """The only lease of an output during the block.

    Raises:
        FailedPrecondition: somebody else works there.
        Unavailable: the store cannot be reached.

    """
    lease = Lease(store, where, config or LeaseConfig())
    lease.take()
    try:
        yield lease
    finally:
        lease.release()


def _self() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid()}


def _died_here(holder: dict[str, Any]) -> bool:
    """Whether the holder was a process of this machine that is no more."""
    if holder["host"] != socket.gethostname():
        return False
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
