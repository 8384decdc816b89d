"""A derived sample: a target, inputs, words and how it was made; and its files.

They are named as `omnireel data curate` reads them::

    walk-add.mp4               the target; of reverse synthesis the original file, byte by byte
    walk-add.txt               the prompt
    walk-add.source.mp4        an input, by its role
    walk-add.element-Subject.1.png
    walk-add.lineage.json      how it was made
    sources.csv                licence and source of every sample
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnireel.files import atomic_path, atomic_write
from omnireel.types import Role

SOURCES = "sources.csv"


@dataclass(frozen=True)
class DerivedInput:
    """An encoded input. ``suffix`` is its file's, with the dot; several of one name are one
    element."""

    role: Role
    name: str
    data: bytes
    suffix: str


@dataclass(frozen=True)
class Derived:
    """One sample. ``target`` is a file to copy as it is, or encoded bytes with a suffix."""

    name: str
    target: Path | bytes
    suffix: str
    text: str
    capability: str
    inputs: tuple[DerivedInput, ...] = ()
    lineage: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""


def save(sample: Derived, folder: Path) -> None:
    """Write a sample; its lineage comes last, so that what has one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{sample.name}{sample.suffix}"
    if isinstance(sample.target, bytes):
        atomic_write(target, sample.target)
    else:
        with atomic_path(target) as partial:
            shutil.copyfile(sample.target, partial)
    counts: dict[tuple[Role, str], int] = {}
    files = {}
    for given in sample.inputs:
        number = counts[given.role, given.name] = counts.get((given.role, given.name), 0) + 1
        several = sum(i.name == given.name for i in sample.inputs) > 1
        end = f".{number}{given.suffix}" if several else given.suffix
        path = folder / f"{sample.name}.{given.role.value}-{given.name}{end}"
        atomic_write(path, given.data)
        files[path.name] = hashlib.sha256(given.data).hexdigest()
    atomic_write(folder / f"{sample.name}.txt", sample.text.encode())
    facts = {
        **sample.lineage,
        "capability": sample.capability,
        "target": {target.name: hashlib.sha256(target.read_bytes()).hexdigest()},
        "inputs": files,
        "licence": sample.licence,
    }
    text = json.dumps(facts, indent=1, sort_keys=True, allow_nan=False)
    atomic_write(lineage_of(folder, sample.name), text.encode())


def lineage_of(folder: Path, name: str) -> Path:
    """Where the lineage of a sample lies."""
    return folder / f"{name}.lineage.json"


def drop(folder: Path, name: str) -> None:
    """Remove a sample, if it is there; its lineage, which names its files, goes last."""
    lineage = lineage_of(folder, name)
    if not lineage.is_file():
        return
    facts = json.loads(lineage.read_text(encoding="utf-8"))
    for file in (*facts["target"], *facts["inputs"], f"{name}.txt"):
        (folder / file).unlink(missing_ok=True)
    lineage.unlink()


def write_sources(folder: Path) -> None:
    """``sources.csv`` of all samples that are there: how each was made, and its licence."""
    rows = io.StringIO(newline="")
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(["file", "licence", "source"])
    for path in sorted(folder.glob("*.lineage.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        made = f"omnireel data synthesise: {facts['made_by']} of {facts['of']}"
        table.writerow([next(iter(facts["target"])), facts["licence"], made])
    atomic_write(folder / SOURCES, rows.getvalue().encode())


def all_saved(folder: Path, names: Iterable[str]) -> bool:
    """Whether every sample of these names is there whole."""
    return all(lineage_of(folder, name).is_file() for name in names)
