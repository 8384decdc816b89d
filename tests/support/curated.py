"""What a curation left, to be compared."""

from __future__ import annotations

import hashlib
from pathlib import Path


def bytes_of(folder: Path) -> dict[str, str]:
    """The hash of every file but hidden ones and the one that holds times."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != "times.parquet" and path.name[0] != "."
    }
