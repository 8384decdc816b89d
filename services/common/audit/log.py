"""The audit log: a table, and the same as structured lines in the service's own log.

No call waits for the disk: its line goes to the log stream at once and to the table within
``FLUSH_S``, in one transaction with those that came meanwhile. So a gateway that is killed can
leave lines out of the table, never out of the stream. The queue between them is bounded; when more
comes than can be written, the table says how many lines it lacks.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

from sqlalchemy import delete, insert, select

from services.common.audit.entry import NOBODY, AuditEntry
from services.common.jobs.database import Database
from services.common.jobs.schema import audit_log
from services.common.logs import get_logger

log = get_logger(__name__)

FLUSH_S = 0.25
MAX_WAITING = 10_000
MAX_BATCH = 500
PRUNE_EVERY_S = 3600.0
DAY_S = 86_400.0
_WIDTHS = {"tenant": 128, "subject": 128, "action": 128, "resource": 512, "outcome": 64}


class AuditLog:
    """``add`` is for services, between ``start`` and ``stop``; ``write`` is for commands."""

    def __init__(
        self,
        database: Database,
        *,
        keep_days: float = 400.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._keep_s = keep_days * DAY_S
        self._clock = clock
        self._waiting: queue.Queue[AuditEntry] = queue.Queue(MAX_WAITING)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._dropped = 0

    def start(self) -> None:
        """Begin to write what is added."""
        self._thread.start()

    def stop(self) -> None:
        """Write what still waits, and end."""
        self._stopping.set()
        if self._thread.ident is not None:  # it was started
            self._thread.join()
        self._flush()

    def add(self, entry: AuditEntry) -> None:
        """Take a line; it is in the log stream now, and in the table soon."""
        log.info("audit", **{**asdict(entry), "time": round(entry.time, 3)})
        self._put(entry)

    def write(self, *entries: AuditEntry) -> None:
        """Put lines into the table before going on."""
        rows = [_row(entry) for entry in entries]
        with self._database.write() as connection:
            connection.execute(insert(audit_log), rows)

    def read(
        self,
        *,
        since: float = 0.0,
        tenant: str | None = None,
        subject: str | None = None,
        action: str | None = None,
        limit: int = 100,
    ) -> Sequence[AuditEntry]:
        """The newest ``limit`` lines that fit, oldest first; ``action`` is a part of its name."""
        query = select(audit_log).where(audit_log.c.time >= since)
        if tenant is not None:
            query = query.where(audit_log.c.tenant == tenant)
        if subject is not None:
            query = query.where(audit_log.c.subject == subject)
        if action is not None:
            query = query.where(audit_log.c.action.contains(action, autoescape=True))
        query = query.order_by(audit_log.c.id.desc()).limit(limit)
        names = AuditEntry.__dataclass_fields__
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            AuditEntry(**{name: getattr(row, name) for name in names}) for row in reversed(rows)
        ]

    def prune(self) -> int:
        """Delete what is older than ``keep_days``; returns how many lines."""
        old = audit_log.c.time < self._clock() - self._keep_s
        with self._database.write() as connection:
            return connection.execute(delete(audit_log).where(old)).rowcount

    def _run(self) -> None:
        next_prune = time.monotonic()
        while not self._stopping.wait(FLUSH_S):
            try:
                self._flush()
                if time.monotonic() >= next_prune:
                    next_prune = time.monotonic() + PRUNE_EVERY_S
                    self.prune()
            except Exception as error:
                log.error("audit lines wait for the database", exc_info=error)

    def _flush(self) -> None:
        dropped, self._dropped = self._dropped, 0
        if dropped:
            text = f"{dropped} lines are only in the log stream"
            self.write(AuditEntry(self._clock(), NOBODY, "system", "audit.left_out", text))
        while batch := self._take():
            try:
                self.write(*batch)
            except Exception:
                for entry in batch:  # for the next time; the stream has them in any case
                    self._put(entry)
                raise

    def _take(self) -> list[AuditEntry]:
        batch: list[AuditEntry] = []
        while len(batch) < MAX_BATCH:
            try:
                batch.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return batch

    def _put(self, entry: AuditEntry) -> None:
        try:
            self._waiting.put_nowait(entry)
        except queue.Full:
            self._dropped += 1


def _row(entry: AuditEntry) -> dict[str, object]:
    row = asdict(entry)
    for name, width in _WIDTHS.items():
        row[name] = row[name][:width]
    row["request_id"], row["address"] = entry.request_id[:128], entry.address[:128]
    return row
