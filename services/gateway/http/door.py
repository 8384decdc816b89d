"""What every route of the HTTP door works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio
import anyio.to_thread

from omnireel.api.v1 import media_pb2
from omnireel.errors import NotFound
from services.gateway.application import Application
from services.gateway.http.settings import HttpSettings

T = TypeVar("T")


@dataclass(frozen=True)
class Door:
    """The application, the door's settings, and its bounds on what lasts long."""

    application: Application
    settings: HttpSettings
    watches: anyio.CapacityLimiter
    uploads: anyio.CapacityLimiter

    def media(self, caller: str, uri: str) -> media_pb2.Media:
        """The caller's object at ``uri``, signed where the store can."""
        library = self.application.library
        found = library.find(caller, uri)
        if found is None:
            raise NotFound(f"media {uri[:200]!r} does not exist, or was deleted")
        return library.signed(caller, found)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """What ``work``, which may wait for SQL or a disk, gives back."""
        return await anyio.to_thread.run_sync(work)
