"""Model components on disk: weights, configuration, card, hashes."""

from __future__ import annotations

from omnireel.registry.component import (
    LoadedComponent,
    load_component,
    save_component,
    verify,
)
from omnireel.registry.folders import atomic_folder, sha256_file, write_text_atomic

__all__ = [
    "LoadedComponent",
    "atomic_folder",
    "load_component",
    "save_component",
    "sha256_file",
    "verify",
    "write_text_atomic",
]
