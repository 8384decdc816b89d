"""The manifest of a folder of shards; it is written last, so a folder without one is not done.

::

    folder/
      shard-00000.parquet   samples 0, 1, .. in their final order
      shard-00001.parquet
      manifest.json         what is in the files, their hashes, and what made them
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omnireel.data.shards.schema import SCHEMA_VERSION
from omnireel.errors import FailedPrecondition, IntegrityError, InvalidInput, NotFound

MANIFEST = "manifest.json"
FORMAT = "omnireel-shards"


@dataclass(frozen=True)
class ShardFile:
    """One Parquet file."""

    name: str
    sha256: str
    size_bytes: int
    num_samples: int


@dataclass(frozen=True)
class Manifest:
    """A whole set of shards. ``made_by`` says what made them, for people."""

    seed: int
    """Of the shuffle."""
    plan: str
    """Hash of the samples' keys and contents in their order, and of the writer's settings."""
    files: tuple[ShardFile, ...]
    media_bytes: int
    capabilities: Mapping[str, int]
    """Samples by capability."""
    made_by: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def num_samples(self) -> int:
        """Samples in all files."""
        return sum(file.num_samples for file in self.files)

    @property
    def content_sha256(self) -> str:
        """Identity of the samples and their order: equal hashes mean equal training data."""
        hashes = [[file.sha256, file.num_samples] for file in self.files]
        return hashlib.sha256(json.dumps([self.schema_version, hashes]).encode()).hexdigest()

    def to_json(self) -> str:
        """The file's content."""
        totals = {"samples": self.num_samples, "media_bytes": self.media_bytes}
        return json.dumps({"format": FORMAT, "totals": totals, **asdict(self)}, indent=1) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest in ``folder``; nothing is said about the files that it lists.

    Raises:
        NotFound: there is no such folder, or nobody ever packed shards into it.
        FailedPrecondition: packing was not finished, or the schema is of another release.
        IntegrityError: it is damaged.

    """
    path = folder / MANIFEST
    if not path.is_file():
        if any(folder.glob("shard-*.parquet")):
            raise FailedPrecondition(
                f"{folder} holds shards without {MANIFEST}: packing was not finished; run the same "
                "command again to resume"
            )
        raise NotFound(
            f"{folder} holds no training shards ({MANIFEST} is missing); make them with "
            "'omnireel data pack FOLDER OUT'"
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.get("format") != FORMAT:
            raise InvalidInput(f"{path} is not a manifest of training shards", field="shards")
        version = int(data["schema_version"])
        if version != SCHEMA_VERSION:
            raise FailedPrecondition(_other_version(folder, version), reason="SCHEMA_VERSION")
        return Manifest(
            seed=int(data["seed"]),
            plan=str(data["plan"]),
            files=tuple(ShardFile(**file) for file in data["files"]),
            media_bytes=int(data["media_bytes"]),
            capabilities=dict(data["capabilities"]),
            made_by=dict(data["made_by"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{path} is damaged: {error!r}; restore it, or pack again") from error


def _other_version(folder: Path, version: int) -> str:
    known = f"{folder} has schema version {version}; this release reads {SCHEMA_VERSION}"
    if version > SCHEMA_VERSION:
        return f"{known}: install the newer release that wrote it"
    return f"{known}: pack the samples again with 'omnireel data pack'"
