"""The captions of a folder: ``name.txt`` beside each file, or one table for all.

``captions.csv`` has the columns ``file`` and ``caption``; ``captions.jsonl`` has one object with
these two keys a line. Files are named relative to the folder.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from omnireel.errors import FieldViolation, InvalidInput, OmnireelError
from omnireel.mvl import parse

TABLES = ("captions.csv", "captions.jsonl")
MAX_CHARACTERS = 2500
_MAX_TABLE_BYTES = 64 << 20
_MAX_TEXT_BYTES = 64 << 10
_SHOWN = 5


@dataclass(frozen=True)
class Caption:
    """Words, and the file that they were found in."""

    text: str
    where: str


def read_table(folder: Path) -> tuple[dict[str, Caption], list[FieldViolation]]:
    """The captions of ``folder``'s table by file, and what is wrong with its lines."""
    found: dict[str, Caption] = {}
    wrong: list[FieldViolation] = []
    tables = [name for name in TABLES if (folder / name).is_file()]
    if len(tables) > 1:
        return {}, [FieldViolation(tables[1], f"there is {tables[0]} too; keep one of them")]
    for name in tables:
        try:
            found, wrong = read_rows(name, _read(folder / name, _MAX_TABLE_BYTES))
        except InvalidInput as error:
            wrong.append(FieldViolation(name, error.message))
    return found, wrong


def read_rows(name: str, text: str) -> tuple[dict[str, Caption], list[FieldViolation]]:
    """The captions of the table called ``name`` by file, and what is wrong with its lines.

    Raises:
        InvalidInput: it is no such table.

    """
    found: dict[str, Caption] = {}
    wrong: list[FieldViolation] = []
    rows = _csv_rows(text) if name.endswith(".csv") else _jsonl_rows(text)
    for line, file, caption in rows:
        where = f"{name}:{line}"
        if file is None or caption is None:
            wrong.append(FieldViolation(where, "needs a text 'file' and a text 'caption'"))
        elif (key := _normal(file)) in found:
            wrong.append(FieldViolation(where, f"{file} has a caption above already"))
        else:
            found[key] = Caption(caption, where)
    return found, wrong


def read_beside(media: Path) -> Caption | None:
    """The caption in the text file beside ``media``, if there is one.

    Raises:
        InvalidInput: the file is no text.

    """
    path = media.with_suffix(".txt")
    return Caption(_read(path, _MAX_TEXT_BYTES).strip(), path.name) if path.is_file() else None


def check_caption(caption: Caption) -> str:
    """What is wrong with a caption; empty: nothing."""
    if not caption.text.strip():
        return f"its caption in {caption.where} is empty; say what is seen"
    if len(caption.text) > MAX_CHARACTERS:
        return (
            f"its caption in {caption.where} has {len(caption.text)} characters; "
            f"{MAX_CHARACTERS} at most"
        )
    try:
        parse(caption.text)
    except OmnireelError as error:
        return f"its caption in {caption.where}: {error.message}"
    return ""


def refusal(where: str, wrong: Sequence[FieldViolation]) -> InvalidInput:
    """The error that names what is wrong with the files of ``where``, and carries all of it."""
    some = "; ".join(f"{v.field}: {v.description}" for v in wrong[:_SHOWN])
    more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return InvalidInput(f"{where}: {some}{more}", violations=tuple(wrong))


def _normal(file: str) -> str:
    return PurePosixPath(file.strip().replace("\\", "/")).as_posix()


def _read(path: Path, most: int) -> str:
    if path.stat().st_size > most:
        raise InvalidInput(f"{path.name} has more than {most >> 10} KiB; captions are shorter")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path.name} is not UTF-8 text; save it as UTF-8") from error


def _csv_rows(text: str) -> Iterator[tuple[int, str | None, str | None]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if not {"file", "caption"} <= set(reader.fieldnames or ()):
            raise InvalidInput("the first line must name the columns file and caption")
        for row in reader:
            yield reader.line_num, row["file"] or None, row["caption"]
    except csv.Error as error:
        raise InvalidInput(f"line {reader.line_num} is not valid CSV ({error})") from error


def _jsonl_rows(text: str) -> Iterator[tuple[int, str | None, str | None]]:
    # splitlines() would also cut at U+2028, which JSON allows inside of a string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InvalidInput(f"line {number} is not valid JSON ({error})") from error
        row = row if isinstance(row, Mapping) else {}
        file, caption = row.get("file"), row.get("caption")
        yield (
            number,
            file if isinstance(file, str) and file else None,
            caption if isinstance(caption, str) else None,
        )
