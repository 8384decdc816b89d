"""The blocking client against a server on a real port."""

from __future__ import annotations

import errno
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from google.rpc import code_pb2, error_details_pb2

from omnireel.api.v1 import mvl_pb2, progress_pb2, video_pb2
from omnireel.client import OmnireelClient, ProgressBar, VideoOptions
from omnireel.errors import (
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    IntegrityError,
    InvalidInput,
    NotFound,
    OmnireelError,
    PromptSyntaxError,
    ResourceExhausted,
    Unavailable,
)
from omnireel.types import VideoFormat
from tests.support.gateway import RESULT, FakeGateway, status


def test_generate_from_words_to_file(
    gateway: FakeGateway, client: OmnireelClient, tmp_path: Path
) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"p" * 300_000)  # more than one chunk
    seen: list[video_pb2.VideoProgress] = []
    video = client.generate(
        "@Girl rides like @Clip",
        videos={"Clip": b"video bytes"},
        elements={"Girl": [picture, b"second"]},
        roles={"Clip": "motion"},
        descriptions={"Girl": "a girl in red"},
        options=VideoOptions(format=VideoFormat(64, 48, 17, 8.0), seed=7, enhance=False),
        out=tmp_path / "out.mp4",
        on_progress=seen.append,
    )
    assert video.state == video_pb2.VIDEO_STATE_SUCCEEDED
    assert (tmp_path / "out.mp4").read_bytes() == RESULT
    assert [e.progress.step for e in seen[1:-1]] == [1, 2, 3, 4]
    assert seen[0].progress.stage == progress_pb2.STAGE_QUEUED

    (request,) = gateway.seen.creates
    assert [p.WhichOneof("part") for p in request.prompt.parts] == ["mention", "text", "mention"]
    (clip,) = request.prompt.inputs
    assert (clip.kind, clip.role) == (mvl_pb2.MEDIA_KIND_VIDEO, mvl_pb2.ROLE_MOTION)
    assert gateway.seen.uploads[clip.uri] == b"video bytes"
    (girl,) = request.prompt.elements
    assert [gateway.seen.uploads[uri] for uri in girl.uris] == [b"p" * 300_000, b"second"]
    assert girl.description == "a girl in red"
    assert gateway.seen.metadata[1].filename == "a.png"
    assert gateway.seen.metadata[1].mime_type == "image/png"
    assert request.settings.format.height == 48
    assert request.settings.seed == 7
    assert request.HasField("enhance") and not request.enhance
    assert not request.HasField("upscale")
    assert request.request_id


def test_a_wrong_prompt_uploads_nothing(gateway: FakeGateway, client: OmnireelClient) -> None:
    with pytest.raises(PromptSyntaxError, match="@Gril"):
        client.generate("@Gril runs", images={"Girl": b"x"})
    assert not gateway.seen.uploads
    assert not gateway.seen.creates


def test_watch_resumes_where_it_broke(gateway: FakeGateway, client: OmnireelClient) -> None:
    gateway.script.break_watch_after = 2
    name = client.create("a ball").name
    events = list(client.watch(name))
    assert [e.progress.step for e in events] == [0, 1, 2, 3, 4, 0]
    assert [w.resume_token for w in gateway.seen.watches] == ["", "2"]


def _until_refused(address: str) -> None:
    """A stopped server may still accept a connection, which nobody answers then."""
    host, _, port = address.rpartition(":")
    while True:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))):
                return


def test_watch_gives_up_in_the_end(gateway: FakeGateway, client: OmnireelClient) -> None:
    name = client.create("a ball").name
    # Held but not listened on: no other process can take the port and keep the client waiting.
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", int(gateway.address.rpartition(":")[2])))
        gateway.__exit__()
        _until_refused(gateway.address)
        with pytest.raises(Unavailable) as caught:
            list(client.watch(name))
    assert caught.value.reason == "NO_ANSWER"


def test_wait_raises_why_it_failed(gateway: FakeGateway, client: OmnireelClient) -> None:
    gateway.script.final_state = video_pb2.VIDEO_STATE_FAILED
    gateway.script.error = status(code_pb2.RESOURCE_EXHAUSTED, "the accelerator's memory is full")
    with pytest.raises(ResourceExhausted, match="memory is full"):
        client.wait(client.create("a ball").name)


def test_wait_has_a_timeout_of_its_own(gateway: FakeGateway, client: OmnireelClient) -> None:
    gateway.script.hang_after = 1
    name = client.create("a ball").name
    with pytest.raises(DeadlineExceeded, match=r"^videos/v1 is not finished after 0\.2 s"):
        client.wait(name, timeout_s=0.2)
    assert not gateway.cancelled.is_set()


def test_interrupting_generate_cancels_the_job(
    gateway: FakeGateway, client: OmnireelClient
) -> None:
    def interrupt(_event: video_pb2.VideoProgress) -> None:
        raise KeyboardInterrupt

    gateway.script.hang_after = 2
    with pytest.raises(KeyboardInterrupt) as caught:
        client.generate("a ball", on_progress=interrupt)
    assert gateway.cancelled.is_set()
    assert caught.value.__notes__ == ["the job is cancelled"]


def test_cancel_get_list_delete(gateway: FakeGateway, client: OmnireelClient) -> None:
    names = [client.create(f"ball {n}").name for n in range(5)]
    client.cancel(names[1])
    assert client.get("v2").state == video_pb2.VIDEO_STATE_CANCELLED
    with pytest.raises(Cancelled):
        gateway.script.hang_after = 1
        client.wait(names[1])
    assert [v.name for v in client.list(page_size=2)] == names
    queued = [video_pb2.VIDEO_STATE_QUEUED]
    assert [v.name for v in client.list(states=queued)] == [names[0], *names[2:]]
    client.delete("operations/v1")
    assert gateway.seen.deleted == ["videos/v1"]
    with pytest.raises(NotFound) as caught:
        client.get("v1")
    assert caught.value.reason == "VIDEO_NOT_FOUND"


def test_download_goes_on_after_a_break(
    gateway: FakeGateway, client: OmnireelClient, tmp_path: Path
) -> None:
    gateway.script.break_download_after = 3
    path = client.download("media://result", tmp_path / "v.mp4")
    assert path.read_bytes() == RESULT
    assert [d.offset for d in gateway.seen.downloads] == [0, 3000]


def test_an_upload_is_repeated_after_a_break(gateway: FakeGateway, client: OmnireelClient) -> None:
    gateway.script.break_uploads = 2
    media = client.upload(b"picture")
    assert gateway.seen.uploads == {media.uri: b"picture"}
    gateway.script.break_uploads = 100
    with pytest.raises(Unavailable):
        client.upload(b"another")


def test_removing_an_upload(gateway: FakeGateway, client: OmnireelClient) -> None:
    media = client.upload(b"picture")
    client.delete_upload(media)
    assert not gateway.seen.uploads
    with pytest.raises(NotFound):
        client.delete_upload(media.uri)


def test_a_progress_bar_says_what_happens(
    gateway: FakeGateway, client: OmnireelClient, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressBar() as bar:
        client.generate("a ball", on_progress=bar)
    shown = capsys.readouterr().err.splitlines()
    assert shown == ["waiting 2 jobs ahead", "generating step 1/4"]


@pytest.mark.parametrize("uri", ["media://result", "media://none"])
def test_a_failed_download_leaves_nothing(
    gateway: FakeGateway, client: OmnireelClient, tmp_path: Path, uri: str
) -> None:
    gateway.script.corrupt_download = True
    (tmp_path / "v.mp4").write_bytes(b"the old one")
    with pytest.raises((IntegrityError, NotFound)):
        client.download(uri, tmp_path / "v.mp4")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"v.mp4": b"the old one"}


def test_a_download_replaces_files_only(client: OmnireelClient, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="is a device or a pipe; name a file"):
        client.download("media://result", tmp_path / "pipe")
    (tmp_path / "link.mp4").symlink_to("file.mp4")
    for _ in ("a new file", "an old one"):
        assert client.download("media://result", tmp_path / "link.mp4") == tmp_path / "link.mp4"
        assert (tmp_path / "link.mp4").is_symlink()
        assert (tmp_path / "file.mp4").read_bytes() == RESULT
    longest = tmp_path / f"{'a' * 251}.mp4"
    assert client.download("media://result", longest).read_bytes() == RESULT
    with pytest.raises(InvalidInput, match=r"cannot write .*File name too long"):
        client.download("media://result", tmp_path / f"{'a' * 252}.mp4")
    (tmp_path / "astray.mp4").symlink_to("no/v.mp4")
    with pytest.raises(InvalidInput, match=r"no folder .*/no;"):
        client.download("media://result", tmp_path / "astray.mp4")


def test_a_folder_without_permission_is_told_before_the_job(
    gateway: FakeGateway, client: OmnireelClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_arguments: False)  # root may write everywhere
    with pytest.raises(InvalidInput, match="no file can be made in"):
        client.generate("a ball", out=tmp_path / "v.mp4")
    assert not gateway.seen.creates


def test_a_video_that_cannot_be_saved_is_named(
    gateway: FakeGateway,
    client: OmnireelClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ResourceExhausted) as caught:
        client.generate("a ball", out=tmp_path / "v.mp4")
    assert caught.value.__notes__ == ["videos/v1 is finished and can be downloaded"]


def test_violations_come_through(gateway: FakeGateway, client: OmnireelClient) -> None:
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="settings.format.width", description="63 is not offered; use 64")
    gateway.script.create_error = status(code_pb2.INVALID_ARGUMENT, "unsupported size", bad)
    with pytest.raises(InvalidInput) as caught:
        client.create("a ball")
    (violation,) = caught.value.violations
    assert violation.field == "settings.format.width"


def test_a_missing_file_is_named_before_anything_is_sent(
    gateway: FakeGateway, client: OmnireelClient, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=r"no\.png") as caught:
        client.generate("a @Cat", images={"Cat": tmp_path / "no.png"})
    assert caught.value.violations[0].field == "Cat"
    empty = tmp_path / "empty.png"
    empty.touch()
    with pytest.raises(InvalidInput, match="is empty"):
        client.upload(empty)
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(InvalidInput, match=r"pipe\.mp4 is not a file") as caught:
        client.generate("like @Clip", videos={"Clip": tmp_path / "pipe.mp4"})
    assert caught.value.violations[0].field == "Clip"
    with pytest.raises(InvalidInput, match="bytearray cannot be sent"):
        client.upload(bytearray(b"x"))  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="no folder"):
        client.generate("a ball", out=tmp_path / "no" / "v.mp4")
    assert not gateway.seen.creates


def test_nobody_listens(tmp_path: Path) -> None:
    with FakeGateway() as gateway:
        address = gateway.address
    with OmnireelClient(address) as client, pytest.raises(OmnireelError) as caught:
        client.capabilities()
    assert caught.value.reason == "NO_ANSWER"
    assert address in caught.value.message


def test_the_http_port_is_not_taken_for_a_missing_gateway() -> None:
    class Http(BaseHTTPRequestHandler):
        def parse_request(self) -> bool:
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return False

    with ThreadingHTTPServer(("127.0.0.1", 0), Http) as server:
        threading.Thread(target=server.serve_forever).start()
        with (
            OmnireelClient(f"127.0.0.1:{server.server_port}") as client,
            pytest.raises(FailedPrecondition, match="speaks HTTP, not gRPC"),
        ):
            client.capabilities()
        server.shutdown()


def test_a_refused_upload_is_called_by_the_caller_s_name(
    gateway: FakeGateway, client: OmnireelClient
) -> None:
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="chunk", description="cannot be decoded; send a PNG or MP4")
    gateway.script.upload_error = status(code_pb2.INVALID_ARGUMENT, "chunk: cannot", bad)
    with pytest.raises(InvalidInput, match=r"^cannot be decoded") as caught:
        client.generate("a @Cat", elements={"Cat": [b"first", b"second"]})
    assert [v.field for v in caught.value.violations] == ["Cat[0]"]
