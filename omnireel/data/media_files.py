"""Which files below a folder are clips and images, by their names."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from pathlib import Path

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
VIDEOS = frozenset({".mp4", ".m4v", ".mkv", ".webm", ".mov", ".avi", ".gif", ".ts"})
SUFFIXES = IMAGES | VIDEOS
NO_TEXT = "its name cannot be written as text; rename it"
"""What is wrong with a file that is not :func:`is_text`."""


def visible_files(folder: Path) -> list[Path]:
    """All files below ``folder`` in the order of names; what is hidden is left alone."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]


def media_below(folder: Path, suffixes: AbstractSet[str] = SUFFIXES) -> list[Path]:
    """Those of :func:`visible_files` that are clips or images."""
    return [path for path in visible_files(folder) if path.suffix.lower() in suffixes]


def is_text(name: str) -> bool:
    """Whether a file's name can be written into a table or a shard."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return name.isprintable()
