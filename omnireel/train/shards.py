"""Folders of numbered, independently made shards: resumable, atomic, versioned by content.

A cache folder is named after a key, the hash of everything that decides its content; other
settings or another version of the world therefore never meet old files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import omnireel.world
from omnireel.errors import InvalidInput, ResourceExhausted
from omnireel.registry.folders import is_disk_full, write_text_atomic


def world_version() -> str:
    """Hash of the world's source code: equal versions render equal bytes."""
    digest = hashlib.sha256()
    for folder in sorted(omnireel.world.__path__):
        for path in sorted(Path(folder).rglob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def cache_key(description: Mapping[str, Any]) -> str:
    """Short hash of a JSON description."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:12]


def open_cache_folder(root: Path, name: str, description: Mapping[str, Any]) -> Path:
    """``root/<name>-<key>`` with a manifest that tells what is in it; made when absent."""
    folder = root / f"{name}-{cache_key(description)}"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "manifest.json").exists():
        write_text_atomic(folder / "manifest.json", json.dumps(dict(description), indent=1) + "\n")
    return folder


def read_manifest(folder: Path) -> dict[str, Any]:
    """The description of a cache folder.

    Raises:
        InvalidInput: the folder is no cache.

    """
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"{folder} is not a data cache (manifest.json: {error}); leave data.cache empty to "
            "build one",
            field="data.cache",
        ) from error
    return manifest


def save_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write ``.npy`` so that ``path`` exists only when it is complete."""
    work = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with work.open("wb") as file:
            np.save(file, array)
        work.replace(path)
    except OSError as error:
        work.unlink(missing_ok=True)
        if is_disk_full(error):
            raise ResourceExhausted(
                f"no space left while writing {path}; free some space and run again (finished "
                "shards are kept)"
            ) from error
        raise
