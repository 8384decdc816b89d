"""The asyncio client against a server on a real port."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from omnireel.api.v1 import video_pb2
from omnireel.client import AsyncOmnireelClient, ReconnectPolicy, VideoOptions
from omnireel.errors import Cancelled, DeadlineExceeded, NotFound, Unavailable
from tests.support.gateway import RESULT, FakeGateway

QUICK = ReconnectPolicy(max_failures=3, first_delay_s=0.01, max_delay_s=0.02)


def test_generate_with_breaks_on_the_way(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.script.break_uploads = 1
    gateway.script.break_watch_after = 2
    gateway.script.break_download_after = 2
    steps: list[int] = []

    async def run() -> video_pb2.Video:
        async with AsyncOmnireelClient(gateway.address, reconnect=QUICK) as client:
            return await client.generate(
                "a @Cat runs",
                elements={"Cat": [b"1", b"2"]},
                options=VideoOptions(seed=3),
                out=tmp_path / "v.mp4",
                on_progress=lambda event: steps.append(event.progress.step),
            )

    video = asyncio.run(run())
    assert video.state == video_pb2.VIDEO_STATE_SUCCEEDED
    assert (tmp_path / "v.mp4").read_bytes() == RESULT
    assert steps == [0, 1, 2, 3, 4, 0]
    assert [d.offset for d in gateway.seen.downloads] == [0, 2000]
    assert gateway.seen.creates[0].settings.seed == 3
    assert len(gateway.seen.uploads) == 2


def test_cancelling_the_task_cancels_the_job(gateway: FakeGateway) -> None:
    gateway.script.hang_after = 1

    async def run() -> None:
        started = asyncio.Event()
        async with AsyncOmnireelClient(gateway.address, reconnect=QUICK) as client:
            task = asyncio.create_task(
                client.generate("a ball", on_progress=lambda _event: started.set())
            )
            await started.wait()
            with pytest.raises(DeadlineExceeded, match="videos/v1 is not finished after"):
                await client.wait("v1", timeout_s=0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    assert gateway.cancelled.is_set()


def test_resources(gateway: FakeGateway) -> None:
    async def run() -> None:
        async with AsyncOmnireelClient(gateway.address, reconnect=QUICK) as client:
            first = await client.create("one")
            second = await client.create("two")
            names = [video.name async for video in client.list(page_size=1)]
            assert names == [first.name, second.name]
            await client.cancel(first.name)
            gateway.script.hang_after = 1
            with pytest.raises(Cancelled):
                await client.wait(first.name)
            await client.delete(second.name)
            with pytest.raises(NotFound):
                await client.get(second.name)
            assert (await client.capabilities()).upscale_factor == 2

    asyncio.run(run())


def test_nobody_listens() -> None:
    with FakeGateway() as gateway:
        address = gateway.address

    async def run() -> None:
        async with AsyncOmnireelClient(address) as client:
            with pytest.raises(Unavailable) as caught:
                await client.capabilities()
            assert caught.value.reason == "NO_ANSWER"

    asyncio.run(run())
