"""Many watchers of a few jobs, in a process of their own.

``python -m tests.bench.serving.watchers ADDRESS KEY COUNT JOB...`` prints one line of JSON: for
every event that arrived, how late it was.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import grpc

from omnireel.api.v1 import video_pb2, video_pb2_grpc


async def watch(
    stub: video_pb2_grpc.VideoServiceStub, job_id: str, key: str
) -> list[tuple[str, float]]:
    """Token and delay in seconds of every event of one stream but the first, to its end."""
    seen = []
    call = stub.WatchVideo(
        video_pb2.WatchVideoRequest(name=f"videos/{job_id}"),
        metadata=(("authorization", f"Bearer {key}"),),
    )
    first = True
    async for event in call:
        if first:
            print("here", flush=True)
            first = False
            continue
        if event.state == video_pb2.VIDEO_STATE_QUEUED:
            continue  # a new place in the queue, which is no numbered event
        written = event.progress.update_time.ToNanoseconds() / 1e9
        seen.append((event.resume_token, time.time() - written))
    return seen


async def main(address: str, key: str, count: int, jobs: list[str]) -> None:
    """Start all, wait for all, print what they saw."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = video_pb2_grpc.VideoServiceStub(channel)
        streams = await asyncio.gather(
            *(watch(stub, jobs[number % len(jobs)], key) for number in range(count))
        )
    print(json.dumps(streams), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
