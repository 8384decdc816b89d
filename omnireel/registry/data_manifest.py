"""Which data a component was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from omnireel.errors import NotFound
from omnireel.registry.folders import sha256_file


@dataclass(frozen=True)
class DataManifest:
    """The data that a component was trained on: what to call it, and its manifest's SHA-256."""

    name: str
    sha256: str

    @classmethod
    def of_file(cls, path: Path, name: str = "") -> DataManifest:
        """Hash a manifest file; by default it is called after its folder.

        Raises:
            NotFound: there is no such file.

        """
        if not path.is_file():
            raise NotFound(f"there is no data manifest {path}")
        return cls(name or path.resolve().parent.name, sha256_file(path))
