"""Files -> items: every clip or image with its caption, companions, licence and source.

::

    walk.mp4                     a clip
    walk.txt                     its caption; or captions.csv / captions.jsonl (file, caption)
    walk.source.mp4              the source of an edit: walk.mp4 is the result, walk.txt says what
                                 was asked; in the prompt it is @Source
    walk.reference-Mug.png       a reference image, @Mug
    walk.element-Hero.1.png      the first picture of the element @Hero; .2.png is the second
    walk.first_frame.png         and last_frame, storyboard, motion, camera, annotation
    sources.csv                  file,licence,source: of a file, of a folder (clips/), or of all (*)
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from omnireel.data.captions import TABLES, Caption, check_caption, read_rows, refusal
from omnireel.data.curate.inputs import Entry, Inputs
from omnireel.data.media_files import IMAGES, NO_TEXT, SUFFIXES, is_text
from omnireel.errors import FieldViolation, InvalidInput, OmnireelError
from omnireel.mvl import Element, Input, parse
from omnireel.types import MediaKind, Role

SOURCES = "sources.csv"

_ROLES = "|".join(role.value for role in Role if role not in (Role.TEXT, Role.TARGET))
_COMPANION = re.compile(
    rf"(?P<stem>.+)\.(?P<role>{_ROLES})(?:-(?P<name>[A-Za-z]\w*))?(?:\.(?P<number>\d+))?"
)


NO_CAPTION = Caption("", "")


@dataclass(frozen=True)
class CompanionFile:
    """A file that another one needs."""

    entry: Entry
    name: str
    role: Role

    @property
    def kind(self) -> MediaKind:
        """By its suffix; what it really is shows when it is read."""
        image = PurePosixPath(self.entry.name).suffix.lower() in IMAGES
        return MediaKind.IMAGE if image else MediaKind.VIDEO


@dataclass(frozen=True)
class Item:
    """One file to curate."""

    entry: Entry
    caption: Caption = NO_CAPTION
    companions: tuple[CompanionFile, ...] = ()
    licence: str = ""
    source: str = ""

    @property
    def name(self) -> str:
        """The file's name below the input."""
        return self.entry.name


@dataclass(frozen=True)
class Listing:
    """All items by name, and files that are none of it."""

    items: Mapping[str, Item]
    ignored: tuple[str, ...]


def list_items(inputs: Inputs, where: str) -> Listing:
    """Everything below an input, in the order of names.

    Raises:
        InvalidInput: no media at all, captions or companions of clips that are not there, or
            words that do not fit: a violation for each. What is wrong inside of a clip is no error
            here; that is what checks are for.

    """
    entries = {entry.name: entry for entry in sorted(inputs.entries())}
    wrong: list[FieldViolation] = [
        FieldViolation(repr(name), NO_TEXT) for name in entries if not is_text(name)
    ]
    if wrong:
        raise refusal(where, wrong)
    media = [n for n in entries if PurePosixPath(n).suffix.lower() in SUFFIXES]
    if not media:
        raise InvalidInput(
            f"{where} holds no clips or images ({', '.join(sorted(SUFFIXES))})"
            + (", or there is no such bucket" if "://" in where else ""),
            field="input",
        )
    companions, mains = _companions(media, entries, wrong)
    captions, used = _captions(inputs, entries, mains, wrong)
    rows = _sources(inputs, entries, wrong)
    items = {}
    for name in mains:
        licence, source = _source_of(name, rows)
        items[name] = Item(
            entries[name],
            captions.get(name, NO_CAPTION),
            tuple(companions.get(name, ())),
            licence,
            source,
        )
        if trouble := _trouble(items[name]):
            wrong.append(FieldViolation(name, trouble))
    if wrong:
        raise refusal(where, wrong)
    known = {*media, *used, *TABLES, SOURCES}
    return Listing(items, tuple(name for name in entries if name not in known))


def _companions(
    media: Iterable[str], entries: Mapping[str, Entry], wrong: list[FieldViolation]
) -> tuple[dict[str, list[CompanionFile]], list[str]]:
    """Companions by the file that they belong to, and all other media."""
    stems: dict[str, list[str]] = {}
    beside: list[tuple[str, re.Match[str]]] = []
    mains: list[str] = []
    for name in media:
        stem = str(PurePosixPath(name).with_suffix(""))
        match = _COMPANION.fullmatch(PurePosixPath(stem).name)
        if match:
            beside.append((name, match))
        else:
            mains.append(name)
            stems.setdefault(stem, []).append(name)
    found: dict[str, list[CompanionFile]] = {}
    for name, match in sorted(beside, key=lambda b: (b[0].partition(".")[0], _number(b[1]), b[0])):
        owners = stems.get(str(PurePosixPath(name).with_name(match["stem"])), [])
        if len(owners) != 1:
            problem = "is not there" if not owners else f"could be {' or '.join(owners)}"
            wrong.append(
                FieldViolation(name, f"the clip {match['stem']} that it belongs to {problem}")
            )
            continue
        role = Role(match["role"])
        given = match["name"] or _default_name(role, match["number"] or "")
        found.setdefault(owners[0], []).append(CompanionFile(entries[name], given, role))
    return found, mains


def _default_name(role: Role, number: str) -> str:
    """``@FirstFrame``, ``@Reference2``; an element's pictures share one name."""
    words = "".join(word.capitalize() for word in role.value.split("_"))
    return words if role is Role.ELEMENT else words + number


def _number(match: re.Match[str]) -> int:
    return int(match["number"] or 0)


def _captions(
    inputs: Inputs, entries: Mapping[str, Entry], mains: Sequence[str], wrong: list[FieldViolation]
) -> tuple[dict[str, Caption], set[str]]:
    """Captions by file, and the text files that they came from."""
    tables = [name for name in TABLES if name in entries]
    if len(tables) > 1:
        wrong.append(FieldViolation(tables[1], f"there is {tables[0]} too; keep one of them"))
    found: dict[str, Caption] = {}
    for table in tables[:1]:
        try:
            rows, problems = read_rows(table, inputs.text(table))
        except InvalidInput as error:
            wrong.append(FieldViolation(table, error.message))
            continue
        wrong += problems
        found.update(rows)
    wrong += [
        FieldViolation(caption.where, f"there is no file {name}")
        for name, caption in found.items()
        if name not in set(mains)
    ]
    used: set[str] = set()
    for name in mains:
        text = str(PurePosixPath(name).with_suffix(".txt"))
        if text not in entries:
            continue
        if name in found:
            wrong.append(
                FieldViolation(name, f"has a caption in {text} and in {found[name].where}")
            )
        elif text in used:
            wrong.append(FieldViolation(name, f"{text} is ambiguous: it also matches another file"))
        else:
            found[name] = Caption(inputs.text(text).strip(), text)
        used.add(text)
    return found, used


def _sources(
    inputs: Inputs, entries: Mapping[str, Entry], wrong: list[FieldViolation]
) -> list[tuple[str, str, str]]:
    """Rows of the table of licences, the most exact first."""
    if SOURCES not in entries:
        return []
    reader = csv.DictReader(io.StringIO(inputs.text(SOURCES), newline=""))
    if not {"file", "licence", "source"} <= set(reader.fieldnames or ()):
        wrong.append(
            FieldViolation(SOURCES, "the first line must name the columns file, licence, source")
        )
        return []
    rows = [(row["file"] or "", row["licence"] or "", row["source"] or "") for row in reader]
    named: set[str] = set()
    for number, (file, _, _) in enumerate(rows, start=2):
        if file in named:
            wrong.append(
                FieldViolation(f"{SOURCES}:{number}", f"{file} has a row above already; keep one")
            )
        named.add(file)
        if (
            file != "*"
            and file not in entries
            and not (file.endswith("/") and any(name.startswith(file) for name in entries))
        ):
            what = "nothing in a folder" if file.endswith("/") else "no file"
            wrong.append(FieldViolation(f"{SOURCES}:{number}", f"there is {what} {file!r}"))
    return sorted(rows, key=lambda row: -len(row[0]) if row[0] != "*" else 1)


def _source_of(name: str, rows: Iterable[tuple[str, str, str]]) -> tuple[str, str]:
    for file, licence, source in rows:
        if file in (name, "*") or (file.endswith("/") and name.startswith(file)):
            return licence, source
    return "", ""


def _trouble(item: Item) -> str:
    """What is wrong with an item's words; empty: nothing, or there are none."""
    if not item.caption.text:
        return f"its caption in {item.caption.where} is empty" if item.caption.where else ""
    if not item.companions:
        return check_caption(item.caption)
    given = [Input(c.name, c.kind, c.role) for c in item.companions if c.role is not Role.ELEMENT]
    elements = {c.name: Element(c.name) for c in item.companions if c.role is Role.ELEMENT}
    try:
        parse(item.caption.text, given, elements.values())
    except OmnireelError as error:
        return f"its caption in {item.caption.where}: {error.message}"
    return ""
