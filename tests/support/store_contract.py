"""What every object store must do; a test class inherits this and gives a ``store`` fixture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from omnireel.errors import IntegrityError, InvalidInput, NotFound
from omnireel.store import ObjectStore

SHA_OF_ABC = hashlib.sha256(b"abc").hexdigest()


class StoreContract:
    """Tests by the names that pytest collects in a subclass ``Test...``."""

    def test_put_get_replace_delete(self, store: ObjectStore) -> None:
        uri = store.put("jobs/1/clip.mp4", b"first")
        assert uri == store.uri("jobs/1/clip.mp4")
        assert store.key(uri) == "jobs/1/clip.mp4"
        assert store.get(uri) == b"first"
        assert store.put("jobs/1/clip.mp4", b"second!") == uri
        assert store.get(uri) == b"second!"
        store.delete(uri)
        store.delete(uri)
        assert not store.exists(uri)
        for read in (store.get, store.stat, store.open_range):
            with pytest.raises(NotFound, match=r"jobs/1/clip\.mp4"):
                read(uri)

    def test_put_a_file_and_nothing(self, store: ObjectStore, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_bytes(bytes(range(256)) * 100)
        assert store.get(store.put("a/file", file)) == file.read_bytes()
        empty = store.put("a/empty", b"")
        assert store.get(empty) == b""
        assert list(store.open_range(empty)) == []

    def test_stat(self, store: ObjectStore) -> None:
        info = store.stat(store.put("a/b", b"12345"))
        assert (info.key, info.size) == ("a/b", 5)
        assert abs(info.modified_at - datetime.now(UTC)) < timedelta(minutes=5)

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, None, b"0123456789"),
            (3, 4, b"3456"),
            (8, 99, b"89"),
            (10, None, b""),
            (4, 0, b""),
        ],
    )
    def test_ranges(
        self, store: ObjectStore, start: int, length: int | None, expected: bytes
    ) -> None:
        uri = store.put("a/digits", b"0123456789")
        chunks = list(store.open_range(uri, start, length, chunk_bytes=3))
        assert b"".join(chunks) == expected
        assert all(0 < len(chunk) <= 3 for chunk in chunks)

    @pytest.mark.parametrize(("start", "length"), [(-1, None), (11, None), (0, -1)])
    def test_wrong_ranges(self, store: ObjectStore, start: int, length: int | None) -> None:
        uri = store.put("a/digits", b"0123456789")
        with pytest.raises(InvalidInput):
            store.open_range(uri, start, length)

    def test_content_is_stored_once_under_its_hash(
        self, store: ObjectStore, tmp_path: Path
    ) -> None:
        file = tmp_path / "abc"
        file.write_bytes(b"abc")
        uri = store.put_content(b"abc", ".txt")
        assert store.put_content(file, ".txt") == uri
        assert SHA_OF_ABC in uri
        assert store.get(uri) == b"abc"
        with pytest.raises(InvalidInput, match="suffix"):
            store.put_content(b"abc", "/../x")

    def test_tampered_content_is_not_delivered(self, store: ObjectStore) -> None:
        uri = store.put_content(b"abc")
        store.put(store.key(uri), b"abd")
        with pytest.raises(IntegrityError, match="does not match the hash"):
            store.get(uri)

    def test_streams(self, store: ObjectStore) -> None:
        info = store.put_stream(
            "up/1", iter([b"a", b"", b"bc"]), max_bytes=3, expected_sha256=SHA_OF_ABC
        )
        assert (info.key, info.size, store.get(info.uri)) == ("up/1", 3, b"abc")

    def test_a_stream_that_fails_leaves_what_was_there(self, store: ObjectStore) -> None:
        old = store.put("up/2", b"old")
        with pytest.raises(InvalidInput, match="more than 4 bytes") as caught:
            store.put_stream("up/2", iter([b"abc", b"de"]), max_bytes=4, field="inputs[0]")
        assert caught.value.violations[0].field == "inputs[0]"
        with pytest.raises(IntegrityError, match="send it again"):
            store.put_stream("up/2", iter([b"abd"]), max_bytes=4, expected_sha256=SHA_OF_ABC)
        with pytest.raises(ConnectionError, match="client went away"):
            store.put_stream("up/2", _broken_upload(), max_bytes=100)
        assert store.get(old) == b"old"
        assert [info.key for info in store.list()] == ["up/2"]

    def test_list(self, store: ObjectStore) -> None:
        assert list(store.list()) == []
        for key in ("b/2", "a/1", "b/1", "b/10/x", "bc"):
            store.put(key, b"x")
        assert [i.key for i in store.list()] == ["a/1", "b/1", "b/10/x", "b/2", "bc"]
        assert [i.key for i in store.list("b/1")] == ["b/1", "b/10/x"]
        assert [i.key for i in store.list("b")] == ["b/1", "b/10/x", "b/2", "bc"]
        assert list(store.list("none/")) == []

    def test_too_large_to_read(self, store: ObjectStore) -> None:
        uri = store.put("a/b", b"12345")
        assert store.get(uri, max_bytes=5) == b"12345"
        with pytest.raises(InvalidInput, match="5 bytes; the limit is 4"):
            store.get(uri, max_bytes=4)

    @pytest.mark.parametrize(
        "uri",
        [
            "file:///etc/passwd",
            "/etc/passwd",
            "https://example.org/x",
            "s3://other-bucket/x",
            "{prefix}/../outside",
            "{prefix}/a/../../outside",
            "{prefix}/%2e%2e/outside",
            "{prefix}//etc/passwd",
            "{prefix}x/a",
            "{prefix}/",
            "{prefix}/.partial/x",
            "{prefix}/a\\b",
            "{prefix}/a\x00b",
            "{prefix}/a?versionId=1",
        ],
    )
    def test_addresses_outside_are_refused(self, store: ObjectStore, uri: str) -> None:
        address = uri.format(prefix=store.uri("k").removesuffix("/k"))
        for use in (store.get, store.stat, store.delete, store.open_range, store.signed_url):
            with pytest.raises(InvalidInput):
                use(address)

    @pytest.mark.parametrize("key", ["", "/a", "a/", "../a", "a//b", ".hidden", "ü", "a" * 513])
    def test_illegal_keys(self, store: ObjectStore, key: str) -> None:
        with pytest.raises(InvalidInput):
            store.put(key, b"x")


def _broken_upload() -> Iterator[bytes]:
    yield b"half"
    raise ConnectionError("the client went away")
