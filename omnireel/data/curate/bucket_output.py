"""A curation whose result lies in a bucket: made in a local work folder, then sent.

1. The plan is put there first: work of another plan at the same address is refused, and so is a
   second machine (`lease`).
2. What was found out so far is put there now and then, so another machine can go on.
3. At the end shards, ledger and report are sent, and the manifest last.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from omnireel.data.curate.lease import Lease, leased
from omnireel.data.curate.state import STATE, WORK, State, check_plan
from omnireel.data.curate.steps import Progress
from omnireel.data.shards.bucket import ShardBucket, is_same
from omnireel.data.shards.manifest import MANIFEST
from omnireel.errors import AlreadyExists, OmnireelError
from omnireel.files import atomic_path, disk_errors

WORK_PREFIX = "work/"
"""Of objects that are needed to go on, and of no use afterwards."""
PLAN_KEY, STATE_KEY = f"{WORK_PREFIX}plan.json", f"{WORK_PREFIX}state.sqlite"
_EVERY_S = 60.0
_SHARE = 0.05
"""Of the time that saving may take, so that a large state is saved less often."""


def work_folder(address: str) -> Path:
    """Where a curation into ``address`` works when nobody says where."""
    digest = hashlib.sha256(address.encode()).hexdigest()[:16]
    return Path.home() / ".cache/omnireel/curate" / digest


class BucketOutput:
    """The output at ``address`` of the work in ``folder``."""

    def __init__(self, address: str, folder: Path) -> None:
        self._bucket = ShardBucket(address)
        self._folder = folder
        self._next_s = time.monotonic() + _EVERY_S
        self._lease: Lease

    @contextmanager
    def claimed(self, plan: Mapping[str, Any]) -> Iterator[Lease]:
        """Hold the address for ``plan``, with what another machine found out for it.

        Raises:
            AlreadyExists: it holds other objects, or work of another plan.
            FailedPrecondition: another machine works on it.
            Unavailable: the store cannot be reached.

        """
        self._claim(plan)
        with leased(self._bucket.store, self._bucket.address) as self._lease:
            self._claim(plan)  # another plan may have come at the same moment
            self._take_over()
            yield self._lease

    def _claim(self, plan: Mapping[str, Any]) -> None:
        store, address = self._bucket.store, self._bucket.address
        there = {info.key: info.uri for info in store.list()}
        if PLAN_KEY in there:
            check_plan(json.loads(store.get(there[PLAN_KEY])), plan, address)
        elif there:
            raise AlreadyExists(f"{address} holds other objects; choose an empty prefix")
        else:
            store.put(PLAN_KEY, json.dumps(dict(plan), sort_keys=True).encode())

    def _take_over(self) -> None:
        store = self._bucket.store
        there = {info.key: info.uri for info in store.list()}
        path = self._folder / WORK / STATE
        with disk_errors(self._folder):
            path.parent.mkdir(parents=True, exist_ok=True)
        manifest = self._folder / MANIFEST
        if MANIFEST in there and not manifest.is_file():
            self._bucket.fetch(self._folder)
        elif MANIFEST not in there and is_same(manifest):
            manifest.unlink()  # deleted from the bucket, to have everything written anew
        if STATE_KEY in there and not path.exists():
            with atomic_path(path) as partial, partial.open("wb") as file:
                for chunk in store.open_range(there[STATE_KEY]):
                    file.write(chunk)

    @contextmanager
    def saving(self, state: State, progress: Progress) -> Iterator[Progress]:
        """Progress that saves the state now and then, and once more when the block is left."""

        def show(stage: str, done: int, total: int) -> None:
            progress(stage, done, total)
            self._lease.check()
            if time.monotonic() >= self._next_s:
                self._save(state)

        try:
            yield show
        except BaseException:
            with suppress(OmnireelError):  # what went wrong before is the news
                self._save(state)
            raise
        self._save(state)

    def send(self, progress: Progress) -> None:
        """Send what the folder holds; the manifest comes last."""
        self._lease.check()
        self._bucket.send(self._folder, lambda done, total: progress("sending files", done, total))

    def _save(self, state: State) -> None:
        began = time.monotonic()
        self._lease.check()
        with (
            disk_errors(self._folder),
            tempfile.TemporaryDirectory(dir=self._folder / WORK) as folder,
        ):
            copy = Path(folder, STATE)
            state.copy_to(copy)
            self._bucket.store.put(STATE_KEY, copy)
        now = time.monotonic()
        self._next_s = now + max(_EVERY_S, (now - began) / _SHARE)
