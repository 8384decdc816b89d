from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from omnireel.api.v1 import media_pb2, mvl_pb2
from omnireel.errors import FailedPrecondition, InvalidInput, NotFound, ResourceExhausted
from omnireel.media import DecodeLimits, write_mp4, write_png
from omnireel.store import ObjectStore, open_store
from omnireel.types import Clip
from services.common.jobs import JobStore, MediaRecord, NewJob, Stage, StageOutput
from services.common.sandbox import MediaSandbox, SandboxConfig
from services.common.storage.policy import StoragePolicy
from services.common.storage.records import StorageRecords
from services.gateway.library import Library
from services.gateway.upload import MAX_CHUNK_BYTES, Uploads
from tests.support.jobs import Clock, new_store

LIMITS = DecodeLimits(max_bytes=200_000, max_pixels=64 * 64, max_frames=9)
FRAMES = np.random.default_rng(0).integers(0, 255, (9, 32, 48, 3), np.uint8)
PNG = write_png(FRAMES[0])


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[JobStore]:
    opened = new_store(tmp_path, Clock())
    yield opened
    opened.close()


@pytest.fixture
def records(jobs: JobStore) -> StorageRecords:
    return StorageRecords(jobs.database, StoragePolicy(max_bytes=1_000_000_000))


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "objects").as_uri())


@pytest.fixture(scope="module")
def sandbox() -> Iterator[MediaSandbox]:
    opened = MediaSandbox(LIMITS, SandboxConfig(processes=1))
    yield opened
    opened.close()


@pytest.fixture
def uploads(records: StorageRecords, store: ObjectStore, sandbox: MediaSandbox) -> Uploads:
    return Uploads(records, store, sandbox)


@pytest.fixture
def library(jobs: JobStore, store: ObjectStore) -> Library:
    return Library(jobs, store, 60)


def messages(
    data: bytes, chunk: int = 1000, **metadata: object
) -> Iterator[media_pb2.UploadMediaRequest]:
    fields = {"size_bytes": len(data), **metadata}
    yield media_pb2.UploadMediaRequest(metadata=media_pb2.UploadMetadata(**fields))  # type: ignore[arg-type]
    for at in range(0, len(data), chunk):
        yield media_pb2.UploadMediaRequest(chunk=data[at : at + chunk])


def test_image_and_video(uploads: Uploads, store: ObjectStore, library: Library) -> None:
    image = uploads.receive("me", messages(PNG, sha256=hashlib.sha256(PNG).hexdigest()))
    assert (image.kind, image.mime_type) == (mvl_pb2.MEDIA_KIND_IMAGE, "image/png")
    assert (image.width, image.height, image.num_frames, image.fps) == (48, 32, 1, 0.0)
    assert (image.size_bytes, image.sha256) == (len(PNG), hashlib.sha256(PNG).hexdigest())
    assert store.get(image.uri) == PNG
    mp4 = write_mp4(Clip(FRAMES, fps=8.0))
    video = uploads.receive("me", messages(mp4, mime_type="video/quicktime"))
    assert (video.kind, video.mime_type) == (mvl_pb2.MEDIA_KIND_VIDEO, "video/mp4")
    assert (video.width, video.height, video.num_frames, video.fps) == (48, 32, 9, 8.0)
    assert library.find("me", video.uri) == video
    assert library.find("you", video.uri) is None


def test_the_same_bytes_are_kept_once_for_each_tenant(
    uploads: Uploads, store: ObjectStore, library: Library
) -> None:
    first = uploads.receive("me", messages(PNG))
    assert uploads.receive("me", messages(PNG)) == first
    theirs = uploads.receive("you", messages(PNG))
    assert theirs.uri != first.uri and theirs.sha256 == first.sha256
    assert len(list(store.list())) == 2
    assert library.find("me", theirs.uri) is None
    store.delete(first.uri)  # lost behind our back: the next upload stores it again
    again = uploads.receive("me", messages(PNG))
    assert again.uri != first.uri and store.get(again.uri) == PNG
    assert uploads.receive("me", messages(PNG)) == again
    with pytest.raises(InvalidInput, match="image/png, not video"):
        uploads.receive("me", messages(PNG, mime_type="video/mp4"))


def test_what_was_sent_before_is_not_asked_for_again(uploads: Uploads, store: ObjectStore) -> None:
    digest = hashlib.sha256(PNG).hexdigest()
    first = uploads.receive("me", messages(PNG, sha256=digest))
    repeated = messages(PNG, sha256=digest)
    assert uploads.receive("me", repeated) == first
    assert next(repeated).chunk == PNG[:1000]  # the chunks were left alone
    assert len(list(store.list())) == 1
    with pytest.raises(InvalidInput, match="received 0 of"):
        uploads.receive("you", iter([next(messages(PNG, sha256=digest))]))
    with pytest.raises(InvalidInput, match="received"):
        uploads.receive("me", messages(PNG, sha256=digest, size_bytes=len(PNG) + 1))


def test_an_upload_is_removed_when_nobody_reads_it(
    uploads: Uploads, store: ObjectStore, jobs: JobStore, library: Library
) -> None:
    mine, theirs = (uploads.receive(who, messages(PNG)) for who in ("me", "you"))
    job, _ = jobs.submit(NewJob("me", b"x", inputs=(mine.uri,)))
    with pytest.raises(FailedPrecondition, match=job.id) as caught:
        uploads.remove("me", mine.uri)
    assert caught.value.reason == "IN_USE"
    with pytest.raises(NotFound):
        uploads.remove("me", theirs.uri)
    assert library.find("me", mine.uri) == mine
    jobs.request_cancel(job.id)
    uploads.remove("me", mine.uri)
    assert library.find("me", mine.uri) is None
    assert [info.uri for info in store.list()] == [theirs.uri]
    with pytest.raises(NotFound):
        uploads.remove("me", mine.uri)


def test_an_output_goes_with_its_video(uploads: Uploads, jobs: JobStore) -> None:
    job, _ = jobs.submit(NewJob("me", b"x"))
    claimed = jobs.claim(job.id, "w", 60)
    assert claimed is not None
    output = StageOutput(Stage.GENERATE, b"", 0.0, 1.0)
    jobs.save_stage(claimed[0], output, (MediaRecord("file:///made.mp4", b"", 1, ""),))
    with pytest.raises(FailedPrecondition, match="delete that one"):
        uploads.remove("me", "file:///made.mp4")


def test_a_full_tenant_is_told_before_a_byte_is_stored(
    jobs: JobStore, store: ObjectStore, sandbox: MediaSandbox
) -> None:
    policy = StoragePolicy(max_bytes=len(PNG) + 10)
    uploads = Uploads(StorageRecords(jobs.database, policy), store, sandbox)
    uploads.receive("me", messages(PNG))
    other = write_png(FRAMES[1])
    with pytest.raises(ResourceExhausted, match="storage are in use") as caught:
        uploads.receive("me", messages(other))
    assert caught.value.reason == "STORAGE_FULL"
    assert len(list(store.list())) == 1
    uploads.receive("you", messages(other))


@pytest.mark.parametrize(
    ("sent", "field", "words"),
    [
        (lambda: iter(()), "metadata", "first message"),
        (lambda: messages(b""), "metadata.size_bytes", "above 0"),
        (lambda: messages(PNG, size_bytes=10**9), "metadata.size_bytes", "compress"),
        (lambda: messages(PNG, size_bytes=len(PNG) + 1), "metadata.size_bytes", " of "),
        (lambda: messages(PNG, size_bytes=len(PNG) - 1), "metadata.size_bytes", "more"),
        (lambda: messages(PNG, sha256="0" * 64), "metadata.sha256", "again"),
        (lambda: messages(PNG, sha256="xyz"), "metadata.sha256", "64"),
        (lambda: messages(PNG, mime_type="video/mp4"), "metadata.mime_type", "image/png"),
        (lambda: messages(b"%PDF-1.7 hello"), "file", "not an image or video"),
        (lambda: messages(PNG[: len(PNG) // 2]), "file", "PNG image"),
        (lambda: messages(write_png(np.zeros((65, 65, 3), np.uint8))), "file", "scale it down"),
    ],
)
def test_refused_and_nothing_kept(
    uploads: Uploads, store: ObjectStore, sent: object, field: str, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        uploads.receive("me", sent())  # type: ignore[operator]
    assert [violation.field for violation in caught.value.violations] == [field]
    assert list(store.list()) == []


def test_too_many_frames(uploads: Uploads) -> None:
    long = write_mp4(Clip(np.zeros((10, 32, 32, 3), np.uint8), fps=8.0))
    with pytest.raises(InvalidInput, match="9 frames"):
        uploads.receive("me", messages(long))


def test_chunks_have_a_largest_size_and_no_second_metadata(
    records: StorageRecords, tmp_path: Path
) -> None:
    big = Uploads(records, open_store((tmp_path / "o").as_uri()), MediaSandbox())
    data = b"x" * (MAX_CHUNK_BYTES + 1)
    with pytest.raises(InvalidInput, match="chunk has at most"):
        big.receive("me", messages(data, chunk=len(data)))
    twice = [*messages(b"", size_bytes=5), *messages(b"", size_bytes=5)]
    with pytest.raises(InvalidInput, match="after the metadata"):
        big.receive("me", iter(twice))


def download(library: Library, caller: str = "me", **fields: object) -> tuple[object, bytes]:
    request = media_pb2.DownloadMediaRequest(**fields)  # type: ignore[arg-type]
    first, *rest = list(library.send(caller, request))
    return first.media, b"".join(message.chunk for message in rest)


def test_download_and_ranges(uploads: Uploads, library: Library) -> None:
    media = uploads.receive("me", messages(PNG))
    assert download(library, uri=media.uri) == (media, PNG)
    assert download(library, uri=media.uri, offset=10)[1] == PNG[10:]
    assert download(library, uri=media.uri, offset=10, length=5)[1] == PNG[10:15]
    assert download(library, uri=media.uri, offset=len(PNG))[1] == b""
    for wrong in ({"offset": len(PNG) + 1}, {"offset": -1}, {"length": -1}):
        with pytest.raises(InvalidInput) as caught:
            download(library, uri=media.uri, **wrong)
        assert caught.value.violations[0].field == next(iter(wrong))


def test_only_ones_own_objects_can_be_read(
    uploads: Uploads, library: Library, store: ObjectStore, jobs: JobStore, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(PNG)
    mine, _ = jobs.submit(NewJob("me", b""))
    preview = store.put(f"jobs/{mine.id}/1/preview-001.png", PNG)
    assert download(library, uri=preview)[1] == PNG
    media = uploads.receive("me", messages(PNG))
    others = store.put("private/a.png", PNG)
    latents = store.put(f"jobs/{mine.id}/1/latents.safetensors", b"x")
    outside = [secret.as_uri(), f"{store.uri('a')}/../../secret.png", "", "http://x/y", others]
    for uri in [*outside, latents, store.uri(f"jobs/{mine.id}/1/gone.png")]:
        with pytest.raises(NotFound):
            download(library, uri=uri)
    for uri in (preview, media.uri):
        with pytest.raises(NotFound):
            download(library, caller="you", uri=uri)


def test_object_that_is_gone(uploads: Uploads, library: Library, store: ObjectStore) -> None:
    media = uploads.receive("me", messages(PNG))
    store.delete(media.uri)
    assert library.find("me", media.uri) is None
    assert library.signed("me", media).signed_url == ""
