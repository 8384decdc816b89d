"""Every rpc of the gateway, as a stranger, as a neighbour, and with too small a key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.longrunning import operations_pb2
from grpc_reflection.v1alpha import reflection_pb2

from omnireel.api.v1 import media_pb2, mvl_pb2, video_pb2
from omnireel.media import write_png
from services.common.jobs.migrate import open_database
from services.gateway.identity import Scope
from services.gateway.identity.access import REQUIRED_SCOPES
from services.gateway.identity.api_key import new_key
from services.gateway.identity.key_store import KeyStore, NewKey
from services.gateway.main import GatewayServer
from services.gateway.settings import GatewaySettings
from services.worker.runner import JobRunner, RunnerConfig
from tests.support.doors import REFLECTION, Rpc, every_rpc
from tests.support.job_runs import bench
from tests.support.stack import Api

PNG = write_png(np.zeros((40, 70, 3), np.uint8))


@dataclass
class Town:
    """A gateway, a tenant who owns a video and a picture, and a neighbour."""

    channel: grpc.Channel
    rpcs: list[Rpc]
    keys: KeyStore
    owner: Api
    owner_key: str
    neighbour_key: str
    job_id: str
    output: str
    upload: str

    def rpc(self, path: str) -> Rpc:
        return next(rpc for rpc in self.rpcs if rpc.path == path)

    def key(self, tenant: str, *scopes: Scope) -> str:
        return self.keys.create(NewKey(tenant, "test", frozenset(scopes))).text


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder: Path = tmp_path_factory.mktemp("town")
    with bench(folder) as made:
        url = f"sqlite:///{folder / 'jobs.db'}"
        settings = GatewaySettings(
            listen="127.0.0.1:0",
            database_url=url,
            store_url=made.store_url,
            key_file=folder / "api_key",
            reflection=True,
            watch_poll_s=0.01,
            delete_wait_s=0.0,
            **made.addresses,
        )
        database = open_database(url)
        keys = KeyStore(database)
        both = frozenset({Scope.READ, Scope.WRITE})
        owner_key = keys.create(NewKey("owner", "k", both)).text
        neighbour_key = keys.create(NewKey("neighbour", "k", both)).text
        made.clock.now = 2e9  # not before the jobs, which the gateway dates by the real clock
        with GatewayServer(settings) as server, grpc.insecure_channel(server.address) as channel:
            owner = Api(server.address, owner_key)
            upload = owner.upload(PNG).uri
            job_id = owner.create()
            runner = JobRunner(made.jobs, made.store, made.clients, RunnerConfig("w1"))
            runner.run(job_id)
            output = owner.get(job_id).outputs.video.uri
            assert output
            rpcs = every_rpc(channel, owner_key)
            yield Town(channel, rpcs, keys, owner, owner_key, neighbour_key, job_id, output, upload)
            owner.close()
        database.close()


def refused(rpc: Rpc, channel: grpc.Channel, requests: list[Any], key: str = "") -> tuple[str, str]:
    """Code and message of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        rpc.call(channel, requests, key)
    return caught.value.code().name, caught.value.details()


def test_every_rpc_has_a_rule(town: Town) -> None:
    assert {rpc.path for rpc in town.rpcs} == set(REQUIRED_SCOPES)


def test_a_stranger_gets_nowhere(town: Town) -> None:
    unknown = new_key().text
    for rpc in town.rpcs:
        for key in ("", "omr_", unknown):
            code, message = refused(rpc, town.channel, [rpc.request()], key)
            assert code == "UNAUTHENTICATED", rpc
            assert town.job_id not in message


def test_an_expired_key_is_a_stranger_s(town: Town) -> None:
    past = NewKey("owner", "old", frozenset(Scope), expires_at=1.0)
    key = town.keys.create(past).text
    rpc = town.rpc("/omnireel.api.v1.VideoService/ListVideos")
    assert refused(rpc, town.channel, [rpc.request()], key)[0] == "UNAUTHENTICATED"


def test_a_key_does_what_its_scope_says_and_no_more(town: Town) -> None:
    reader, writer = town.key("owner", Scope.READ), town.key("owner", Scope.WRITE)
    for rpc in town.rpcs:
        wrong = writer if REQUIRED_SCOPES[rpc.path] is Scope.READ else reader
        assert refused(rpc, town.channel, [rpc.request()], wrong)[0] == "PERMISSION_DENIED", rpc
    page = town.rpc("/omnireel.api.v1.VideoService/ListVideos")
    (answer,) = page.call(town.channel, [page.request()], town.key("owner", Scope.ADMIN))
    assert [video.name for video in answer.videos] == [f"videos/{town.job_id}"]


def _named(kind: type[Any], collection: str) -> Callable[[Town, str], list[Any]]:
    return lambda town, job_id: [kind(name=f"{collection}/{job_id}")]


def _create(town: Town, job_id: str) -> list[Any]:
    prompt = mvl_pb2.Prompt(text="put @Hero there")
    uri = town.upload if job_id == town.job_id else town.upload.replace("/", "/0", 1)
    prompt.elements.add(name="Hero", uris=[uri])
    return [video_pb2.CreateVideoRequest(prompt=prompt)]


def _download(town: Town, job_id: str) -> list[Any]:
    return [media_pb2.DownloadMediaRequest(uri=town.output.replace(town.job_id, job_id))]


def _delete_media(town: Town, job_id: str) -> list[Any]:
    uri = town.upload if job_id == town.job_id else town.upload.replace("/", "/0", 1)
    return [media_pb2.DeleteMediaRequest(uri=uri)]


VIDEOS = "/omnireel.api.v1.VideoService/"
OPERATIONS = "/google.longrunning.Operations/"
NAMING: dict[str, Callable[[Town, str], list[Any]]] = {
    VIDEOS + "CreateVideo": _create,
    VIDEOS + "GetVideo": _named(video_pb2.GetVideoRequest, "videos"),
    VIDEOS + "DeleteVideo": _named(video_pb2.DeleteVideoRequest, "videos"),
    VIDEOS + "WatchVideo": _named(video_pb2.WatchVideoRequest, "videos"),
    VIDEOS + "DownloadMedia": _download,
    VIDEOS + "DeleteMedia": _delete_media,
    OPERATIONS + "GetOperation": _named(operations_pb2.GetOperationRequest, "operations"),
    OPERATIONS + "WaitOperation": _named(operations_pb2.WaitOperationRequest, "operations"),
    OPERATIONS + "CancelOperation": _named(operations_pb2.CancelOperationRequest, "operations"),
    OPERATIONS + "DeleteOperation": _named(operations_pb2.DeleteOperationRequest, "operations"),
}
"""Requests that name a resource: the owner's, or one that nobody has."""

NAMING_NOTHING = {
    VIDEOS + "ListVideos",
    VIDEOS + "UploadMedia",
    VIDEOS + "GetCapabilities",
    OPERATIONS + "ListOperations",
    f"/{REFLECTION}/ServerReflectionInfo",
}


def test_every_rpc_is_tried_as_a_neighbour(town: Town) -> None:
    assert {rpc.path for rpc in town.rpcs} == set(NAMING) | NAMING_NOTHING


@pytest.mark.parametrize("path", NAMING)
def test_a_neighbour_s_resource_is_one_that_nobody_has(town: Town, path: str) -> None:
    before = town.owner.get(town.job_id)
    nobody_s = "0" * len(town.job_id)
    answers = []
    for job_id in (town.job_id, nobody_s):
        requests = NAMING[path](town, job_id)
        code, message = refused(town.rpc(path), town.channel, requests, town.neighbour_key)
        for mine in (job_id, town.upload, town.upload.replace("/", "/0", 1)):
            message = message.replace(mine, "it")
        answers.append((code, message))
    assert answers[0] == answers[1]  # nor can a neighbour tell whether it exists
    wanted = "INVALID_ARGUMENT" if path.endswith("CreateVideo") else "NOT_FOUND"
    assert answers[0][0] == wanted
    assert town.owner.get(town.job_id) == before
    assert town.owner.download(town.output)


def test_lists_show_one_s_own(town: Town) -> None:
    for path, field in (
        (VIDEOS + "ListVideos", "videos"),
        (OPERATIONS + "ListOperations", "operations"),
    ):
        rpc = town.rpc(path)
        for key, count in ((town.owner_key, 1), (town.neighbour_key, 0)):
            (answer,) = rpc.call(town.channel, [rpc.request()], key)
            assert len(getattr(answer, field)) == count


def test_the_same_file_twice_is_nobody_s_secret(town: Town) -> None:
    """Everybody's copy has an address of its own, and no answer tells that another one exists."""
    rpc = town.rpc(VIDEOS + "UploadMedia")
    digest = hashlib.sha256(PNG).hexdigest()
    metadata = media_pb2.UploadMetadata(size_bytes=len(PNG), sha256=digest)
    fetch = town.rpc(VIDEOS + "DownloadMedia")
    mine = [media_pb2.DownloadMediaRequest(uri=town.upload)]
    key = town.key("third", Scope.READ, Scope.WRITE)
    assert refused(fetch, town.channel, mine, key)[0] == "NOT_FOUND"
    # Knowing the hash is not having the bytes; who sent them once need not again.
    (known,) = rpc.call(
        town.channel, [media_pb2.UploadMediaRequest(metadata=metadata)], town.owner_key
    )
    assert known.media.uri == town.upload
    claim = [media_pb2.UploadMediaRequest(metadata=metadata)]
    assert refused(rpc, town.channel, claim, key)[0] == "INVALID_ARGUMENT"
    assert refused(fetch, town.channel, mine, key)[0] == "NOT_FOUND"
    chunk = media_pb2.UploadMediaRequest(chunk=PNG)
    (answer,) = rpc.call(town.channel, [*claim, chunk], key)
    assert answer.media.uri != town.upload
    theirs = [media_pb2.DownloadMediaRequest(uri=answer.media.uri)]
    assert fetch.call(town.channel, theirs, key)
    assert refused(fetch, town.channel, theirs, town.owner_key)[0] == "NOT_FOUND"
    assert refused(fetch, town.channel, mine, key)[0] == "NOT_FOUND"


def test_reflection_is_for_callers_too(town: Town) -> None:
    rpc = town.rpc(f"/{REFLECTION}/ServerReflectionInfo")
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    assert rpc.call(town.channel, [question], town.neighbour_key)
