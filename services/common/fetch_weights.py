"""Copies model weights from an object store to a folder, before a model service starts.

``python -m services.common.fetch_weights "s3://bucket/models/7?endpoint=https://host" /weights``

The model service checks every component against the hashes in its card when it loads it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from omnireel.errors import InvalidInput, NotFound, OmnireelError
from omnireel.files import disk_errors
from omnireel.store import ObjectStore, open_store

GIB = 1 << 30
TELL_S = 10.0


def fetch_weights(store: ObjectStore, folder: Path, say: Callable[[str], None]) -> int:
    """Copy every object of ``store`` to ``folder``; gives back the bytes. What is there with the
    same size stays, so a copy that was cut off goes on.

    Raises:
        NotFound: the store holds nothing.
        ResourceExhausted: the disk is full.
    """
    objects = list(store.list())
    if not objects:
        raise NotFound("there are no weights at that address; look at bucket and prefix")
    total, done, told_at = sum(each.size for each in objects), 0, time.monotonic()
    for each in objects:
        path = _inside(folder, each.key)
        if not path.exists() or path.stat().st_size != each.size:
            _copy(store, each.uri, path)
        done += each.size
        if time.monotonic() - told_at > TELL_S:
            say(f"{done / GIB:.2f} of {total / GIB:.2f} GiB")
            told_at = time.monotonic()
    return total


def _copy(store: ObjectStore, uri: str, path: Path) -> None:
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("wb") as file:
            for chunk in store.open_range(uri):
                file.write(chunk)
        partial.replace(path)


def _inside(folder: Path, key: str) -> Path:
    path = (folder / key).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InvalidInput(f"the key {key!r} leads out of the folder", field="weights")
    return path


def main(argv: list[str]) -> int:
    """Copy; the exit status is 1 when that fails."""
    if len(argv) != 2:
        print("usage: python -m services.common.fetch_weights STORE_URL FOLDER", file=sys.stderr)
        return 2
    try:
        size = fetch_weights(
            open_store(argv[0]), Path(argv[1]), lambda line: print(line, flush=True)
        )
    except OmnireelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{size / GIB:.2f} GiB in {argv[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
