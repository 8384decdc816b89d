"""The thread that collects storage; of all workers, one at a time does it."""

from __future__ import annotations

import threading

from services.common.logs import get_logger
from services.common.storage.collector import Collector
from services.common.storage.records import StorageRecords

log = get_logger(__name__)

LOCK = "collector"
LOCK_TTL_S = 3600.0
"""A worker that dies while it collects blocks the others for this long."""


class Collecting:
    """Runs a collection every ``every_s`` seconds, when no other worker does."""

    def __init__(
        self, collector: Collector, records: StorageRecords, worker_id: str, every_s: float
    ) -> None:
        self._collector = collector
        self._records = records
        self._worker_id = worker_id
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="collector", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a collection that runs now is finished first."""
        self._stop.set()
        if self._thread.ident is not None:  # it was started
            self._thread.join()

    def turn(self) -> bool:
        """Collect once, unless another worker does; True when it was done here."""
        if not self._records.take_lock(LOCK, self._worker_id, LOCK_TTL_S):
            return False
        try:
            self._collector.run()
        finally:
            self._records.release_lock(LOCK, self._worker_id)
        return True

    def _loop(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self.turn()
            except Exception as error:
                log.error("storage could not be collected; trying again", exc_info=error)
