"""Random messages to every method of a real gateway on a real port."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.longrunning import operations_pb2

from omnireel.api.v1 import media_pb2, mvl_pb2, video_pb2
from services.gateway.main import GatewayServer
from services.gateway.settings import GatewaySettings
from tests.fuzz.messages import MessageMaker
from tests.fuzz.tally import HANG_S, Tally
from tests.support.engines.servers import (
    running_generator,
    running_prompt_enhancer,
    running_super_resolver,
)
from tests.support.hostile_media import frames, image
from tests.support.stack import Api

WAIT_S = 1.0
"""For the calls that are meant to wait for a job that never runs here."""
BUGS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE)


@contextmanager
def gateway(folder: Path) -> Iterator[Api]:
    """A gateway with test engines behind it and no worker, so that jobs stay queued."""
    store_url = (folder / "objects").as_uri()
    with ExitStack() as stack:
        addresses = {
            "prompt_enhancer": stack.enter_context(running_prompt_enhancer(store_url)).address,
            "generator": stack.enter_context(running_generator(store_url)).address,
            "super_resolver": stack.enter_context(running_super_resolver(store_url)).address,
        }
        settings = GatewaySettings(
            listen="127.0.0.1:0",
            database_url=f"sqlite:///{folder / 'jobs.db'}",
            store_url=store_url,
            auth="off",
            delete_wait_s=0.0,
            max_queued_jobs=200,
            **addresses,
        )  # type: ignore[call-arg]
        server = stack.enter_context(GatewayServer(settings))
        api = Api(server.address)
        stack.callback(api.close)
        yield api


def fuzz_api(count: int, seed: int) -> Tally:
    """No message makes an internal error, and none keeps a call waiting."""
    tally, rng = Tally("api"), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, gateway(Path(folder)) as api:
        uri = api.upload(image()).uri
        video = api.create()
        maker = MessageMaker(rng, (uri, f"videos/{video}", f"operations/{video}", "A"))
        for number in range(count):
            method, request = _request(api, maker, rng, uri)
            with tally.one(f"seed={seed} number={number} {str(request)[:500]}", (_Refused,)):
                _call(tally, method, request)
    return tally


class _Refused(Exception):
    """The call ended with a status that blames the caller."""


def _request(api: Api, maker: MessageMaker, rng: random.Random, uri: str) -> tuple[Any, Any]:
    videos, operations = api.videos, api.operations
    if rng.random() < 0.6:  # the message that has the most to it
        request = _good(uri) if rng.random() < 0.5 else maker.fill(video_pb2.CreateVideoRequest())
        return videos.CreateVideo, maker.mutated(request)
    if rng.random() < 0.2:
        data = image()[: rng.choice((0, 10, 100, 10_000))]
        metadata = maker.fill(media_pb2.UploadMetadata())
        if rng.random() < 0.7:
            metadata.size_bytes = len(data)
        return videos.UploadMedia, [
            media_pb2.UploadMediaRequest(metadata=metadata),
            media_pb2.UploadMediaRequest(chunk=data),
        ][: rng.choice((0, 1, 2, 2, 2))]
    method, kind = rng.choice(
        [
            (videos.GetVideo, video_pb2.GetVideoRequest),
            (videos.ListVideos, video_pb2.ListVideosRequest),
            (videos.DeleteVideo, video_pb2.DeleteVideoRequest),
            (videos.DownloadMedia, media_pb2.DownloadMediaRequest),
            (operations.GetOperation, operations_pb2.GetOperationRequest),
            (operations.ListOperations, operations_pb2.ListOperationsRequest),
            (operations.CancelOperation, operations_pb2.CancelOperationRequest),
            (operations.WaitOperation, operations_pb2.WaitOperationRequest),
            (videos.WatchVideo, video_pb2.WatchVideoRequest),
        ]
    )
    return method, maker.mutated(maker.fill(kind()))


def _good(uri: str) -> video_pb2.CreateVideoRequest:
    request = video_pb2.CreateVideoRequest(request_id="1", labels={"a": "b"})
    request.prompt.text = "@A jumps"
    request.prompt.inputs.add(name="A", kind=mvl_pb2.MEDIA_KIND_IMAGE, uri=uri)
    request.settings.shape.aspect_ratio, request.settings.seed = "1:1", 7
    request.settings.guidance.text = 2.0
    assert frames(1).any()
    return request


def _call(tally: Tally, method: Any, request: Any) -> None:
    waits = isinstance(request, operations_pb2.WaitOperationRequest | video_pb2.WatchVideoRequest)
    timeout_s = WAIT_S if waits else HANG_S
    try:
        answer = method(iter(request) if isinstance(request, list) else request, timeout=timeout_s)
        if hasattr(answer, "__next__"):
            for _ in answer:
                continue
    except grpc.RpcError as error:
        code = error.code()
        if code is grpc.StatusCode.DEADLINE_EXCEEDED and not waits:
            tally.hangs += 1
        if code in BUGS:
            raise AssertionError(f"{code}: {error.details()}") from error
        tally.by_outcome[code.name] += 1
        raise _Refused from error
