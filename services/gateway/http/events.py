"""Progress as Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

The id of an event is the resume token of the watch, so a browser that lost its connection goes on
where it was, at any replica. One that comes back after the final event gets 204 and stays away.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent import futures

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from fastapi import Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from omnireel.api.v1 import video_pb2
from omnireel.errors import OmnireelError, ResourceExhausted
from services.gateway.http import protojson
from services.gateway.http.door import Door
from services.gateway.watch import Watch, read_resume_token

RETRY_MS = 1000
RETRY_FULL_S = 5.0
BUFFERED_EVENTS = 16


async def events_answer(request: Request, door: Door, caller: str, job_id: str) -> Response:
    """The stream of one video's events.

    Raises:
        NotFound: the caller has no such video.
        ResourceExhausted: as many streams as may be are open.
    """
    token = request.headers.get("last-event-id") or request.query_params.get("last_event_id", "")
    after = read_resume_token(token)
    job = await door.in_thread(lambda: door.application.videos.get(caller, job_id))
    if after is not None and job.state.terminal and after >= job.event_sequence:
        return Response(status_code=204)
    if door.watches.available_tokens < 1:
        raise ResourceExhausted(
            "too many streams of events are open; ask for the video's state instead, or try again",
            retry_after_s=RETRY_FULL_S,
        )
    return EventStream(door, Watch(caller, job_id, after))


class EventStream(Response):
    """The answer itself: it lasts until the final event, or until its reader leaves."""

    media_type = "text/event-stream"

    def __init__(self, door: Door, watch: Watch) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._door = door
        self._watch = watch

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send what a thread that waits for SQL sees, until either side ends."""
        leave = _Leave()
        into, out_of = anyio.create_memory_object_stream[video_pb2.VideoProgress](BUFFERED_EVENTS)

        async def pump() -> None:
            async with into:
                await anyio.to_thread.run_sync(
                    _watch, self._door, self._watch, leave, into, limiter=self._door.watches
                )

        async with anyio.create_task_group() as group, out_of:

            async def notice_end() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                leave()
                group.cancel_scope.cancel()

            group.start_soon(pump)
            group.start_soon(notice_end)
            try:
                start = {"status": self.status_code, "headers": self.raw_headers}
                await send({"type": "http.response.start", **start})
                async for piece in _pieces(out_of, self._door.settings.heartbeat_s):
                    body = {"body": piece.encode(), "more_body": True}
                    await send({"type": "http.response.body", **body})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            finally:
                leave()
                group.cancel_scope.cancel()


class _Leave:
    """Tells the watching thread, once it can be told, that the reader has gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gone = False
        self._tell: Callable[[], None] | None = None

    def __call__(self) -> None:
        """The reader has gone."""
        with self._lock:
            self._gone = True
            tell = self._tell
        if tell is not None:
            tell()

    def tells(self, tell: Callable[[], None]) -> bool:
        """Call ``tell`` when the reader goes; whether it is still there."""
        with self._lock:
            self._tell = tell
            return not self._gone


async def _pieces(
    events: MemoryObjectReceiveStream[video_pb2.VideoProgress], heartbeat_s: float
) -> AsyncIterator[str]:
    """Events, and a comment whenever nothing happened for a while."""
    yield f"retry: {RETRY_MS}\n\n"
    while True:
        try:
            with anyio.fail_after(heartbeat_s):
                event = await events.receive()
        except TimeoutError:
            yield ": still here\n\n"
        except anyio.EndOfStream:
            return
        else:
            kind = "final" if event.HasField("video") else "progress"
            data = protojson.to_json(event)
            yield f"id: {event.resume_token}\nevent: {kind}\ndata: {data}\n\n"


def _watch(
    door: Door,
    watch: Watch,
    leave: _Leave,
    into: MemoryObjectSendStream[video_pb2.VideoProgress],
) -> None:
    """Runs in a thread. A reader whose stream ends early comes back with its last id and then
    learns why: this replica stopped, or the video was deleted."""
    try:
        for event in door.application.watcher.watch(watch, leave.tells):
            anyio.from_thread.run(into.send, event)
    except (OmnireelError, anyio.BrokenResourceError):
        return
    except (asyncio.CancelledError, futures.CancelledError):
        return  # nobody reads any more
