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
from omnireel.data.folder import SUFFIXES
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


def caption_folder(
    folder: Path,
    captioner: Captioner,
    beside: Level = "full",
    tries: int = 2,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Captioned:
    """Write ``captions.levels.jsonl`` (all four levels), and ``name.txt`` with the level ``beside``
    where there is none yet. A caption that fails its checks is asked for again, ``tries`` times in
    all; then its file is left without and named.

    Raises:
        NotFound: no such folder.
        InvalidInput: no media in it.
        Unavailable, ResourceExhausted: the model does not answer; what is done is kept.

    """
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    media = [
        p for p in sorted(folder.rglob("*"))
        if p.suffix.lower() in SUFFIXES and not any(role in p.stem for role in _ROLES)
    ]  # fmt: skip
    if not media:
        raise InvalidInput(f"{folder} holds no clips or images", field="input")
    rows, refused, kept = _rows(folder), {}, 0
    for number, path in enumerate(media):
        report(number, len(media))
        name, digest = path.relative_to(folder).as_posix(), sha256_of(path)
        row = rows.get(name)
        if row is not None and row["sha256"] == digest and row["by"] == captioner.name:
            kept += 1
        else:
            try:
                captions: Mapping[Any, str] = _write(path, captioner, tries)
            except (Unavailable, ResourceExhausted):
                raise
            except OmnireelError as error:
                refused[name] = error.message
                continue
            rows[name] = {"file": name, "sha256": digest, "by": captioner.name, **captions}
            _save(folder, rows)
        text = path.with_suffix(".txt")
        if not text.is_file():
            atomic_write(text, rows[name][beside].encode())
    report(len(media), len(media))
    return Captioned(len(media) - kept - len(refused), kept, refused)


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
    lines = path.read_text(encoding="utf-8").splitlines()
    return {row["file"]: row for row in map(json.loads, lines)}


def _save(folder: Path, rows: Mapping[str, Mapping[str, Any]]) -> None:
    lines = [json.dumps(rows[name], ensure_ascii=False) for name in sorted(rows)]
    atomic_write(folder / LEVELS_FILE, ("\n".join(lines) + "\n").encode())
