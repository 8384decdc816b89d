"""A model of yours that edits clips, by the path of a Python file that opens it.

The file defines ``open_expert() -> Expert``; a diffusion editor is one, wrapped in a few lines.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Protocol

from omnireel.errors import FailedPrecondition, InvalidInput, NotFound
from omnireel.types import Frames


class Expert(Protocol):
    """Edits a clip as told."""

    name: str
    """For the lineage: which model and which weights."""

    def edit(self, frames_THWC: Frames, instruction: str) -> Frames:
        """Frames of the same shape."""


def load_expert(path: Path | None) -> Expert:
    """The expert of a file.

    Raises:
        InvalidInput: no path was named.
        NotFound: there is no such file.
        FailedPrecondition: it cannot be opened.

    """
    if path is None:
        raise InvalidInput(
            "instructed edits need a model of yours: give a Python file that defines open_expert() "
            "with --expert",
            field="expert",
        )
    if not path.is_file():
        raise NotFound(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location("omnireel_expert", path)
    if spec is None or spec.loader is None:
        raise FailedPrecondition(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        expert: Expert = module.open_expert()
    except Exception as error:  # a person's own file can raise anything
        raise FailedPrecondition(f"{path}: {type(error).__name__}: {error}") from error
    return expert
