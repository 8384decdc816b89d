from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.store import LocalStore, ObjectStore, open_store
from tests.support.store_contract import StoreContract


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "objects with space"


@pytest.fixture
def store(root: Path) -> ObjectStore:
    return open_store(root.as_uri())


class TestLocalStore(StoreContract):
    pass


def test_no_partial_files_stay(store: ObjectStore, root: Path) -> None:
    def chunks() -> object:
        yield b"half"
        assert list((root / ".partial").iterdir())
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        store.put_stream("a/b", chunks(), max_bytes=10)  # type: ignore[arg-type]
    assert list((root / ".partial").iterdir()) == []
    assert not (root / "a" / "b").exists()


def test_what_a_killed_process_left_is_swept_after_a_day(root: Path) -> None:
    LocalStore(root)
    old, new = root / ".partial" / "old", root / ".partial" / "new"
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (0, time.time() - 25 * 3600))
    LocalStore(root)
    assert [p.name for p in (root / ".partial").iterdir()] == ["new"]


def test_links_do_not_lead_out(store: ObjectStore, root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(InvalidInput, match="through a link"):
        store.get(store.uri("link/secret"))
    with pytest.raises(InvalidInput, match="through a link"):
        store.put("link/new", b"x")


def test_readers_see_whole_objects_while_a_writer_replaces_them(store: ObjectStore) -> None:
    uri = store.put("a", b"0" * 200_000)
    stop = threading.Event()

    def write() -> None:
        digit = 0
        while not stop.is_set():
            digit = (digit + 1) % 10
            store.put("a", str(digit).encode() * 200_000)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(50):
            data = store.get(uri)
            assert len(data) == 200_000
            assert len(set(data)) == 1
    finally:
        stop.set()
        writer.join()


FULL_DISK = """
import resource, sys
from pathlib import Path
from omnireel.errors import ResourceExhausted
from omnireel.store import LocalStore
store = LocalStore(Path(sys.argv[1]))
uri = store.put("a", b"old")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    store.put("a", b"x" * 5000)
except ResourceExhausted as error:
    print(error.message)
print(store.get(uri).decode(), [p.name for p in (Path(sys.argv[1]) / ".partial").iterdir()])
"""


def test_a_full_disk_is_named_and_leaves_no_half_file(root: Path) -> None:
    # The operating system's limit on file sizes stands in for a full disk: a real failed write.
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(root)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    message, after = done.stdout.splitlines()
    assert message.startswith(f"no space left to write in {root}")
    assert after == "old []"


def test_a_key_cannot_be_object_and_folder(store: ObjectStore) -> None:
    uri = store.put("a", b"x")
    with pytest.raises(InvalidInput, match="use another key"):
        store.put("a/b", b"y")
    store.put("c/d", b"z")
    with pytest.raises(InvalidInput, match="use another key"):
        store.put("c", b"y")
    assert store.get(uri) == b"x"
    assert not store.exists(store.uri("a/b"))


def test_signed_addresses_need_an_http_side(store: ObjectStore) -> None:
    uri = store.put("a", b"x")
    with pytest.raises(FailedPrecondition, match="download through the API"):
        store.signed_url(uri)


def test_the_root_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FailedPrecondition, match="is a file"):
        LocalStore(tmp_path / "file")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "not a store address"),
        ("/var/objects", "not a store address"),
        ("http://host/x", "not a store address"),
        ("file://host/x", "not a folder address"),
        ("file:relative", "not a folder address"),
        ("s3://", "names no bucket"),
        ("s3://user:secret@bucket", "must not hold credentials"),
        ("s3://bucket?secret=x", "unknown option 'secret'"),
        ("s3://bucket?endpoint=host:9000", "not http"),
        ("s3://bucket/a/../b", "not an object key"),
        ("s3://Bucket_1", "not a bucket name"),
    ],
)
def test_wrong_addresses(url: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with pytest.raises(InvalidInput, match=says):
        open_store(url)


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(FailedPrecondition, match="MY_KEY"):
        open_store("s3://bucket?access_key_env=MY_KEY")


def test_no_empty_folders_stay(store: ObjectStore, root: Path) -> None:
    first, second = store.put("jobs/1/2/a", b"a"), store.put("jobs/1/b", b"b")
    store.delete(first)
    assert sorted(path.name for path in root.rglob("*")) == [".partial", "1", "b", "jobs"]
    store.delete(second)
    store.delete(second)
    assert [path.name for path in root.iterdir()] == [".partial"]


def test_a_folder_that_is_pruned_meanwhile_is_made_again(store: ObjectStore) -> None:
    failures: list[Exception] = []

    def work(name: str) -> None:
        try:
            for _ in range(100):
                store.delete(store.put(f"jobs/1/{name}", b"x"))
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(store.list()) == []
