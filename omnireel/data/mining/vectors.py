"""Vectors of all media below a folder, kept beside the result so that none is made twice."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data.media_files import NO_TEXT, SUFFIXES, is_text, media_below
from omnireel.embed import Embedder
from omnireel.errors import InvalidInput, NotFound, OmnireelError
from omnireel.files import atomic_path
from omnireel.media import DecodeLimits, read_media
from omnireel.store.chunks import sha256_of
from omnireel.types import Frames, MediaKind

F32 = npt.NDArray[np.float32]
_SAVE_EVERY = 64
_MOMENTS, _CELLS = 3, 8
_SIDE = 160
Report = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Vectors:
    """One row per file: who is shown (``subjects_NS``) and how it looks (``looks_NP``: coarse
    pictures of three moments, by which copies are known). ``unread`` says why files are missing."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    hashes: tuple[str, ...]
    subjects_NS: F32
    looks_NP: F32
    unread: dict[str, str]


def vectors_of(
    folder: Path, embedder: Embedder, kept: Path, report: Report = lambda done, total: None
) -> Vectors:
    """Look at everything below ``folder``; ``kept`` is the file that remembers.

    Raises:
        NotFound: no such folder.
        InvalidInput: no media in it.

    """
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    paths = media_below(folder)
    if not paths:
        raise InvalidInput(
            f"{folder} holds no clips or images ({', '.join(sorted(SUFFIXES))})", field="input"
        )
    known = _remembered(kept, embedder.name)
    unread: dict[str, str] = {}
    rows: list[tuple[str, str, str]] = []
    fresh = 0
    for number, path in enumerate(paths):
        report(number, len(paths))
        name = path.relative_to(folder).as_posix()
        if not is_text(name):
            unread[repr(name)] = NO_TEXT
            continue
        digest = sha256_of(path)
        if digest not in known:
            try:
                kind, frames = _frames(path, name)
            except OmnireelError as error:
                unread[name] = error.message
                continue
            subject = embedder.embed_subjects([frames])[0]
            known[digest] = (kind.value, subject, look_of(frames))
            fresh += 1
            if fresh % _SAVE_EVERY == 0:
                _remember(kept, embedder.name, known)
        rows.append((name, known[digest][0], digest))
    if fresh:
        _remember(kept, embedder.name, known)
    report(len(paths), len(paths))
    if not rows:
        raise InvalidInput(f"nothing in {folder} could be read: {next(iter(unread.values()))}")
    names, kinds, hashes = zip(*rows, strict=True)
    subjects = np.stack([known[digest][1] for digest in hashes])
    looks = np.stack([known[digest][2] for digest in hashes])
    return Vectors(names, kinds, hashes, subjects, looks, unread)


def look_of(frames_THWC: Frames) -> F32:
    """Coarse pictures of the first, the middle and the last moment, 0 to 1, as one vector."""
    at = np.linspace(0, len(frames_THWC) - 1, _MOMENTS).round().astype(int)
    small = [
        cv2.resize(
            np.ascontiguousarray(frames_THWC[t]), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA
        )
        for t in at
    ]
    return (np.stack(small).astype(np.float32) / 255.0).ravel()


def _frames(path: Path, name: str) -> tuple[MediaKind, Frames]:
    kind, clip = read_media(path, DecodeLimits(), field=name, shrink_short_side=_SIDE)
    return kind, clip.frames_THWC


Known = dict[str, tuple[str, F32, F32]]
_DAMAGED = (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
"""What numpy raises for a file that is cut off or none of its own."""


def _remembered(kept: Path, model: str) -> Known:
    """What ``kept`` has by hash; nothing where it is damaged, as it can be made anew."""
    if not kept.is_file():
        return {}
    with suppress(*_DAMAGED), kept.open("rb") as file, np.load(file) as data:
        if str(data["model"]) != model:
            return {}
        rows: Sequence[str] = data["hashes"].tolist()
        kinds: Sequence[str] = data["kinds"].tolist()
        found = zip(rows, kinds, data["subjects"], data["looks"], strict=True)
        return {digest: (kind, subject, look) for digest, kind, subject, look in found}
    return {}


def _remember(kept: Path, model: str, known: Known) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(kept) as partial, partial.open("wb") as file:
        np.savez(
            file,
            model=np.array(model),
            hashes=np.array(list(known)),
            kinds=np.array([kind for kind, _, _ in known.values()]),
            subjects=np.stack([subject for _, subject, _ in known.values()]),
            looks=np.stack([look for _, _, look in known.values()]),
        )


def fingerprint(names: Sequence[str]) -> str:
    """A short id that follows from names."""
    return hashlib.sha256(json.dumps(sorted(names)).encode()).hexdigest()[:12]
