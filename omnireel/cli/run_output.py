"""What a training verb shows while it works: progress of its data, and who listens to its run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omnireel.recipes.base import Report
    from omnireel.train import Callback


def run_callbacks(
    mlflow: str, out: Path, *, name: str = "", parent: str = "", copy_to: str = ""
) -> tuple[Callback, ...]:
    """A progress bar, the newest validation pictures, and MLflow unless it is "off".

    ``name`` is the run's there, by default its folder's; ``parent`` the id of the run above it;
    ``copy_to`` the store that checkpoints are copied to, if there is one.
    """
    from omnireel.train import ProgressBar
    from omnireel.train.pictures import ValidationFiles

    callbacks: tuple[Callback, ...] = (ProgressBar(), ValidationFiles(out))
    if mlflow != "off":
        from omnireel.train.mlflow_callback import MlflowCallback

        callbacks += (MlflowCallback(mlflow, name=name, parent=parent),)
    if copy_to:
        from omnireel.recipes.copies import CheckpointCopies
        from omnireel.store import open_store

        callbacks += (CheckpointCopies(open_store(copy_to)),)
    return callbacks


def data_report() -> Report:
    """Prints every twentieth part of the preparation of data."""
    shown = {"last": -1}

    def report(what: str, done: int, total: int) -> None:
        percent = 100 * done // max(total, 1)
        if percent != shown["last"] and (percent % 5 == 0 or sys.stderr.isatty()):
            shown["last"] = percent
            end = "\r" if sys.stderr.isatty() and done < total else "\n"
            sys.stderr.write(f"{what}: {done}/{total} ({percent} %){end}")
            sys.stderr.flush()

    return report
