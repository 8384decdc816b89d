"""What was mined, as a table, and as clips with references that `omnireel data curate` reads."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from omnireel.data.captions import read_beside, read_table, refusal
from omnireel.data.mining.groups import SharedPair, SubjectGroup
from omnireel.data.mining.vectors import Vectors
from omnireel.errors import AlreadyExists, FieldViolation, InvalidInput
from omnireel.files import atomic_path, atomic_write

_REFERENCES = 3
"""Pictures or clips that one clip gets as references, at most."""


def rows_of(
    vectors: Vectors, groups: list[SubjectGroup], pairs: list[SharedPair], copies: Mapping[int, int]
) -> Iterator[dict[str, Any]]:
    """One row per group, pair and copy, in this order; files are named below the input."""
    names = vectors.names
    for group in groups:
        yield _row("group", group.key, [names[i] for i in group.members], group.similarity)
    for pair in pairs:
        yield _row("pair", "", [names[pair.one], names[pair.other]], pair.similarity)
    for copy, first in sorted(copies.items()):
        yield _row("copy", "", [names[first], names[copy]], 1.0)


def check_out(path: Path) -> None:
    """Refuse a table of a kind that nobody writes.

    Raises:
        InvalidInput: another suffix than .jsonl or .parquet.

    """
    if path.suffix not in (".jsonl", ".parquet"):
        raise InvalidInput(f"{path} must end in .jsonl or .parquet", field="out")


def write_rows(rows: list[dict[str, Any]], path: Path) -> None:
    """JSON lines, or Parquet when ``path`` ends so.

    Raises:
        InvalidInput: another suffix.

    """
    check_out(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        atomic_write(path, "".join(json.dumps(row) + "\n" for row in rows).encode())
    else:
        schema = pa.schema(
            [("what", pa.string()), ("subject", pa.string()),
             ("files", pa.list_(pa.string())), ("similarity", pa.float64())]
        )  # fmt: skip
        with atomic_path(path) as partial:
            pq.write_table(pa.Table.from_pylist(rows, schema), partial)


def lay_out(folder: Path, vectors: Vectors, groups: list[SubjectGroup], out: Path) -> int:
    """Every clip of a group beside up to three others of it as references; how many clips.

    Pictures of the group become an element, another clip a reference. Files are linked where the
    disk allows it, else copied.

    Raises:
        AlreadyExists: ``out`` holds something.
        InvalidInput: captions that cannot be read: a violation for each.

    """
    if out.is_dir() and any(out.iterdir()):
        raise AlreadyExists(f"{out} is not empty; choose another folder")
    captions, stems = _captions(folder, vectors.names), _stems(vectors.names)
    out.mkdir(parents=True, exist_ok=True)
    clips = 0
    for group in groups:
        images = [i for i in group.members if vectors.kinds[i] == "image"]
        videos = [i for i in group.members if vectors.kinds[i] == "video"]
        for at, clip in enumerate(videos):
            others = (*videos[at + 1 :], *videos[:at])
            if not images and not others:
                continue
            name = vectors.names[clip]
            stem = stems[name]
            _place(folder / name, out / (stem + PurePosixPath(name).suffix))
            if name in captions:
                atomic_write(out / f"{stem}.txt", f"With @Subject. {captions[name]}".encode())
            if images:
                for number, image in enumerate(images[:_REFERENCES], start=1):
                    suffix = PurePosixPath(vectors.names[image]).suffix
                    end = f".{number}{suffix}" if len(images) > 1 else suffix
                    _place(folder / vectors.names[image], out / f"{stem}.element-Subject{end}")
            else:
                suffix = PurePosixPath(vectors.names[others[0]]).suffix
                _place(folder / vectors.names[others[0]], out / f"{stem}.reference-Subject{suffix}")
            clips += 1
    return clips


def _row(what: str, key: str, files: list[str], similarity: float) -> dict[str, Any]:
    return {"what": what, "subject": key, "files": files, "similarity": round(similarity, 6)}


def _captions(folder: Path, names: Iterable[str]) -> dict[str, str]:
    table, wrong = read_table(folder)
    found: dict[str, str] = {}
    for name in names:
        try:
            caption = table.get(name) or read_beside(folder / name)
        except InvalidInput as error:
            wrong.append(FieldViolation(name, error.message))
            continue
        if caption is not None:
            found[name] = caption.text.strip()
    if wrong:
        raise refusal(str(folder), wrong)
    return found


def _stems(names: Iterable[str]) -> dict[str, str]:
    """A name without folders and dots for each file; a hash tells those apart that share one."""
    flat = {
        name: PurePosixPath(name).with_suffix("").as_posix().replace("/", "_").replace(".", "_")
        for name in names
    }
    count = Counter(flat.values())
    for name, stem in flat.items():
        if count[stem] > 1:
            flat[name] = f"{stem}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return flat


def _place(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        # Renamed into place: to write into a file that is there could be to write into an original.
        with atomic_path(target) as partial:
            shutil.copyfile(source, partial)
