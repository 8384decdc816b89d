"""A real MLflow registry in a file, and small components to put into it."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import torch

from omnireel.registry import save_component

CACHE = Path.home() / ".cache" / "omnireel"


@lru_cache(maxsize=1)
def _empty_database() -> Path:
    """Made once for each version of MLflow, which needs long to lay out its tables."""
    from omnireel.registry.tracking import open_client

    kept = CACHE / f"mlflow-{version('mlflow')}.db"
    if kept.is_file():
        return kept
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = open_client(f"sqlite:///{folder}/empty.db", create=True)
        client.search_experiments(max_results=1)
        (Path(folder) / "empty.db").replace(kept)
    return kept


def fresh_registry(folder: Path) -> str:
    """The tracking address of an empty registry in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(_empty_database(), folder / "mlflow.db")
    return f"sqlite:///{folder}/mlflow.db"


def small_component(folder: Path, value: float = 1.0, *, kind: str = "generator") -> Path:
    """A component whose content depends on ``value``."""
    return save_component(
        folder,
        kind=kind,
        config={"width": 4},
        state_dict={"weight": torch.full((4, 4), value)},
        card={
            "title": "Small component",
            "recipe": "generator-tiny",
            "git_revision": "abc1234",
            "data": "4 clips",
        },
    )
