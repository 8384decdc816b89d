"""Celery over a folder, for one machine without a broker.

kombu's own file transport opens a message under its final name and then writes it, so a reader
can catch it half written and its worker dies of the broken JSON. Here a message appears whole: it
is written beside and renamed. Messages that a killed worker had taken are lost; the sweeper
rings again for their jobs.
"""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.transport import filesystem

MAX_WAIT_S = 0.25


class Channel(filesystem.Channel):  # type: ignore[misc]
    """Writes messages atomically."""

    def _put(self, queue: str, payload: dict[str, Any], **_kwargs: Any) -> None:
        folder = Path(self.data_folder_out)
        name = f"{time.monotonic_ns() // 1_000_000}_{uuid.uuid4()}.{queue}.msg"
        part = folder / f"{name}.part"
        part.write_text(json.dumps(payload))
        part.replace(folder / name)


class Transport(filesystem.Transport):  # type: ignore[misc]
    """The folder transport with :class:`Channel`."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None) -> Any:
        """Wait for a message, but not long: between two waits the consumer sees that it stops."""
        longest = MAX_WAIT_S if timeout is None else min(timeout, MAX_WAIT_S)
        return super().drain_events(connection, timeout=longest)
