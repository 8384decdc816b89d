"""What the verbs that train show: progress of data and of steps, and where it is recorded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omnireel.recipes.base import Report
    from omnireel.train import Callback


def training_callbacks(mlflow: str, out: Path) -> tuple[Callback, ...]:
    """A progress bar, pictures of validations, and MLflow unless ``mlflow`` is "off"."""
    from omnireel.train import ProgressBar
    from omnireel.train.pictures import ValidationFiles

    callbacks: tuple[Callback, ...] = (ProgressBar(), ValidationFiles(out))
    if mlflow != "off":
        from omnireel.train.mlflow_callback import MlflowCallback

        callbacks += (MlflowCallback(mlflow),)
    return callbacks


def data_report() -> Report:
    """Progress of preparing data on standard error: every percent, or every fifth in a log."""
    shown = {"last": -1}

    def report(what: str, done: int, total: int) -> None:
        percent = 100 * done // max(total, 1)
        if percent != shown["last"] and (percent % 5 == 0 or sys.stderr.isatty()):
            shown["last"] = percent
            end = "\r" if sys.stderr.isatty() and done < total else "\n"
            sys.stderr.write(f"{what}: {done}/{total} ({percent} %){end}")
            sys.stderr.flush()

    return report
