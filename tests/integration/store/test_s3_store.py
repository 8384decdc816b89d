from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnireel.errors import FailedPrecondition, IntegrityError, InvalidInput, Unavailable
from omnireel.store import ObjectStore, open_store
from tests.support.s3_server import S3Server, build, go_toolchain, running_s3_server
from tests.support.store_contract import StoreContract

pytestmark = [
    # The first run builds the server.
    pytest.mark.timeout(1200),
]
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    go = go_toolchain()
    with running_s3_server(build(go), tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def address(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TEST_S3_ACCESS", server.access_key)
    monkeypatch.setenv("TEST_S3_SECRET", server.secret_key)
    return (
        f"s3://bucket-{uuid.uuid4().hex[:12]}/some/prefix?endpoint={server.endpoint}"
        "&access_key_env=TEST_S3_ACCESS&secret_key_env=TEST_S3_SECRET"
    )


@pytest.fixture
def store(address: str) -> ObjectStore:
    return open_store(address)


class TestS3Store(StoreContract):
    pass


def test_two_prefixes_of_one_bucket_are_two_stores(address: str) -> None:
    one, two = open_store(address), open_store(address.replace("some/prefix", "other"))
    uri = one.put("a", b"x")
    assert list(two.list()) == []
    with pytest.raises(InvalidInput, match="not an object of this store"):
        two.get(uri)


def test_large_streams_go_up_in_parts(store: ObjectStore) -> None:
    block = os.urandom(MIB)
    digest = hashlib.sha256(block * 40).hexdigest()
    info = store.put_stream(
        "big", (block for _ in range(40)), max_bytes=40 * MIB, expected_sha256=digest
    )
    assert info.size == 40 * MIB
    downloaded = hashlib.sha256()
    for chunk in store.open_range(info.uri):
        downloaded.update(chunk)
    assert downloaded.hexdigest() == digest


def test_a_large_stream_with_a_wrong_hash_leaves_nothing(store: ObjectStore) -> None:
    with pytest.raises(IntegrityError, match="was announced"):
        store.put_stream(
            "big", (b"x" * MIB for _ in range(40)), max_bytes=99 * MIB, expected_sha256="0" * 64
        )
    assert not store.exists(store.uri("big"))


def test_signed_addresses_work_without_credentials_and_only_as_signed(store: ObjectStore) -> None:
    url = store.signed_url(store.put("clip.mp4", b"film"), expires_s=60)
    with urllib.request.urlopen(url) as response:
        assert response.read() == b"film"
        assert response.headers["Content-Type"] == "video/mp4"
    unsigned = url.partition("?")[0]
    for wrong in (unsigned, url[:-4] + "0000"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(wrong)
        assert caught.value.code == 403
        caught.value.close()
    with pytest.raises(InvalidInput, match="expires_s"):
        store.signed_url(store.uri("clip.mp4"), expires_s=8 * 24 * 3600)


def test_wrong_credentials(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_S3_SECRET", "wrong")
    with pytest.raises(FailedPrecondition, match="check credentials"):
        open_store(address).put("a", b"x")


def test_a_server_that_went_away(
    server: S3Server, address: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    go = go_toolchain()
    with running_s3_server(build(go), tmp_path_factory.mktemp("s3")) as short_lived:
        store = open_store(address.replace(server.endpoint, short_lived.endpoint))
        uri = store.put("a", b"x")
    with pytest.raises(Unavailable, match="cannot be reached"):
        store.get(uri)


def test_a_file_goes_up(store: ObjectStore, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(os.urandom(20 * MIB))
    assert store.get(store.put_content(file)) == file.read_bytes()
