"""Captions for a folder of clips and images; the same call goes on where an interrupted one
stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnireel.data.captioning.captioners import Captioner, SceneGraphCaptioner, scene_beside
from omnireel.data.captioning.checks import disorder_of, trouble_of, untruth_of
from omnireel.data.captioning.levels import RULES
from omnireel.data.media_files import NO_TEXT, SUFFIXES, is_text, media_below
from omnireel.errors import InvalidInput, NotFound, OmnireelError, ResourceExhausted, Unavailable
from omnireel.files import atomic_write
from omnireel.media import read_media
from omnireel.store.chunks import sha256_of
from omnireel.types import Role
from omnireel.world.scene import Level

LEVELS_FILE = "captions.levels.jsonl"
_SIDE = 256
_ROLES = tuple(f".{role.value}" for role in Role)


@dataclass(frozen=True)
class Captioned:
    """What was done: files with captions, and what was wrong with those that were refused."""

    written: int
    kept: int
    """Files that had captions of this captioner already."""
    refused: Mapping[str, str]
    foreign: tuple[str, ...] = ()
    """Texts beside files that this command did not write, left as they are."""


def caption_folder(
    folder: Path,
    captioner: Captioner,
    beside: Level = "full",
    tries: int = 2,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Captioned:
    """Write ``captions.levels.jsonl`` (all four levels), and ``name.txt`` with the level ``beside``
    unless somebody else wrote one. A caption that fails its checks is asked for again, ``tries``
    times in all; then its file is left without and named.

    Raises:
        NotFound: no such folder.
        InvalidInput: no media in it.
        Unavailable, ResourceExhausted: the model does not answer; what is done is kept.

    """
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    media = [p for p in media_below(folder) if not any(role in p.stem for role in _ROLES)]
    if not media:
        raise InvalidInput(
            f"{folder} holds no clips or images ({', '.join(sorted(SUFFIXES))})", field="input"
        )
    rows, refused, foreign, kept = _rows(folder), {}, [], 0
    for number, path in enumerate(media):
        report(number, len(media))
        name, text = path.relative_to(folder).as_posix(), path.with_suffix(".txt")
        if not is_text(name):
            refused[repr(name)] = NO_TEXT
            continue
        digest, row = sha256_of(path), rows.get(name)
        if row is not None and row["sha256"] != digest:
            _drop_text(row, text)
            del rows[name]
            _save(folder, rows)
            row = None
        if row is not None and row["by"] == captioner.name:
            kept += 1
        else:
            try:
                captions: Mapping[Any, str] = _write(path, captioner, tries)
            except (Unavailable, ResourceExhausted):
                raise
            except OmnireelError as error:
                refused[name] = error.message
                continue
            if row is not None:
                _drop_text(row, text)
            rows[name] = {"file": name, "sha256": digest, "by": captioner.name, **captions}
            _save(folder, rows)
        if not _write_text(rows[name], beside, text):
            foreign.append(text.relative_to(folder).as_posix())
    report(len(media), len(media))
    return Captioned(len(media) - kept - len(refused), kept, refused, tuple(foreign))


def _write(path: Path, captioner: Captioner, tries: int) -> dict[Level, str]:
    """Checked captions of all levels.

    Raises:
        InvalidInput: some level was wrong every time; the message says how.

    """
    frames = read_media(path, shrink_short_side=_SIDE)[1].frames_THWC
    why = ""
    for _ in range(tries):
        found: dict[Level, str] = {level: captioner.write(path, frames, level) for level in RULES}
        troubles = {level: trouble_of(text, level) for level, text in found.items()}
        why = next((f"{level}: {why}" for level, why in troubles.items() if why), "")
        why = why or disorder_of(found)
        if not why and isinstance(captioner, SceneGraphCaptioner):
            scene = scene_beside(path)
            why = next((w for text in found.values() if (w := untruth_of(text, scene))), "")
        if not why:
            return found
    raise InvalidInput(why)


def _rows(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / LEVELS_FILE
    if not path.is_file():
        return {}
    # splitlines() would also cut at U+2028, which stands as it is inside of a caption.
    lines = path.read_text(encoding="utf-8").split("\n")
    return {row["file"]: row for row in map(json.loads, filter(None, lines))}


def _is_of(row: Mapping[str, Any], text: Path) -> bool:
    """Whether ``text`` is there and holds one of the captions of ``row``."""
    return text.is_file() and text.read_bytes() in {row[level].encode() for level in RULES}


def _drop_text(row: Mapping[str, Any], text: Path) -> None:
    """Remove what was written of ``row``, before the row goes: without it, nobody could tell the
    text from that of a person."""
    if _is_of(row, text):
        text.unlink()


def _write_text(row: Mapping[str, Any], beside: Level, text: Path) -> bool:
    """Write the caption of a level into ``text``; False: it holds words of somebody else."""
    if text.is_file() and not _is_of(row, text):
        return False
    words = row[beside].encode()
    if not (text.is_file() and text.read_bytes() == words):
        atomic_write(text, words)
    return True


def _save(folder: Path, rows: Mapping[str, Mapping[str, Any]]) -> None:
    lines = [json.dumps(rows[name], ensure_ascii=False) for name in sorted(rows)]
    atomic_write(folder / LEVELS_FILE, ("\n".join(lines) + "\n").encode())
