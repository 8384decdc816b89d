"""What a run tells the outside: a metrics file, a progress bar, anything else that listens."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from omnireel.train.comparison import Comparison
from omnireel.train.throughput import Throughput


@dataclass(frozen=True)
class RunInfo:
    """Facts about a run that is about to start."""

    folder: Path
    name: str
    num_steps: int
    start_step: int
    max_minutes: float | None
    config: Mapping[str, Any]
    """Flat: dotted field name -> value."""
    num_parameters: int
    placement: str = ""
    """Where and how the networks run: ranks, what they share, attention operator."""


@dataclass(frozen=True)
class StepEvent:
    """Averages since the previous event. ``progress`` in 0..1; ``eta_s`` seconds to the end."""

    step: int
    num_steps: int
    progress: float
    metrics: Mapping[str, float]
    throughput: Throughput
    eta_s: float


@dataclass(frozen=True, eq=False)
class ValidationReport:
    """Scores on held-out data, and clips to look at, at the same prompts and seeds every time."""

    metrics: Mapping[str, float]
    comparisons: tuple[Comparison, ...] = ()


class Callback:
    """Override what you need; exceptions stop the run (nothing is swallowed)."""

    def on_start(self, info: RunInfo) -> None:
        """Before the first step."""

    def on_step(self, event: StepEvent) -> None:
        """Every ``log_every`` steps."""

    def on_validation(self, step: int, report: ValidationReport) -> None:
        """After each validation."""

    def on_checkpoint(self, step: int, folder: Path) -> None:
        """After a checkpoint is complete on disk."""

    def on_notice(self, step: int, message: str) -> None:
        """Something unusual that a person should know: a skipped step, a return."""

    def on_end(self, step: int, error: BaseException | None) -> None:
        """When the run ends, by success or by ``error``."""


class JsonlMetrics(Callback):
    """Appends every event to ``metrics.jsonl`` in the run folder.

    One JSON object a line: ``{"event": "train", "step": 10, "loss": ...}``. Numbers that are not
    finite are written as strings, so the file stays valid JSON.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "metrics.jsonl"
        self._file: IO[str] | None = None

    def on_start(self, info: RunInfo) -> None:
        """Open the file."""
        self._file = self._path.open("a", encoding="utf-8")
        facts = {"num_parameters": info.num_parameters, "placement": info.placement}
        self._write("start", info.start_step, facts)

    def on_step(self, event: StepEvent) -> None:
        """Write one row."""
        extra = {**event.throughput.metrics(), "progress": event.progress}
        self._write("train", event.step, {**event.metrics, **extra})

    def on_validation(self, step: int, report: ValidationReport) -> None:
        """Write one row."""
        self._write("validation", step, report.metrics)

    def on_checkpoint(self, step: int, folder: Path) -> None:
        """Write one row."""
        self._write("checkpoint", step, {})

    def on_notice(self, step: int, message: str) -> None:
        """Write one row."""
        self._write("notice", step, {"message": message})

    def on_end(self, step: int, error: BaseException | None) -> None:
        """Write the last row and close."""
        self._write("end", step, {} if error is None else {"error": repr(error)})
        if self._file is not None:
            self._file.close()

    def _write(self, event: str, step: int, values: Mapping[str, Any]) -> None:
        assert self._file is not None
        row = {"event": event, "step": step}
        row |= {name: _plain(value) for name, value in values.items()}
        self._file.write(json.dumps(row, allow_nan=False) + "\n")
        self._file.flush()


class ProgressBar(Callback):
    """A rich progress bar with the loss, speed and time left; one line per validation.

    Where the output is no terminal (a log file), it prints a plain line every ``log_every`` steps.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("training", total=1.0, note="")

    def on_start(self, info: RunInfo) -> None:
        """Open the file."""
        self._console.print(
            f"{info.name}: {info.num_parameters / 1e6:.2f} M parameters, "
            f"steps {info.start_step} to {info.num_steps} -> {info.folder}",
            highlight=False,
        )
        self._console.print(info.placement, highlight=False)
        self._progress.start()

    def on_step(self, event: StepEvent) -> None:
        """Write one row."""
        shown = " ".join(f"{k} {v:.4g}" for k, v in list(event.metrics.items())[:4])
        note = f"{shown}  {event.throughput}  {_clock(event.eta_s)} left"
        self._progress.update(
            self._task, completed=event.progress, description=f"step {event.step}", note=note
        )
        if not self._console.is_terminal:
            self._console.print(f"step {event.step}/{event.num_steps}  {note}", soft_wrap=True)

    def on_validation(self, step: int, report: ValidationReport) -> None:
        """Write one row."""
        scores = "  ".join(f"{k} {v:.4g}" for k, v in report.metrics.items())
        self._console.print(f"validation at step {step}:  {scores}", soft_wrap=True)

    def on_notice(self, step: int, message: str) -> None:
        """Print it."""
        self._console.print(f"step {step}: {message}", highlight=False, soft_wrap=True)

    def on_end(self, step: int, error: BaseException | None) -> None:
        """Write the last row and close."""
        self._progress.stop()


class CallbackList:
    """Calls several callbacks in order; ``with`` guarantees ``on_end`` exactly once."""

    def __init__(self, callbacks: tuple[Callback, ...]) -> None:
        self._callbacks = callbacks
        self._started: list[Callback] = []
        self.step = 0

    def start(self, info: RunInfo) -> CallbackList:
        """Announce the run; where one does not take it, those before are told of its end."""
        self.step = info.start_step
        for callback in self._callbacks:
            try:
                callback.on_start(info)
            except BaseException as error:
                self.__exit__(type(error), error, error.__traceback__)
                raise
            self._started.append(callback)
        return self

    def on_step(self, event: StepEvent) -> None:
        """Pass on."""
        for callback in self._callbacks:
            callback.on_step(event)

    def on_validation(self, step: int, report: ValidationReport) -> None:
        """Pass on."""
        for callback in self._callbacks:
            callback.on_validation(step, report)

    def on_checkpoint(self, step: int, folder: Path) -> None:
        """Pass on."""
        for callback in self._callbacks:
            callback.on_checkpoint(step, folder)

    def on_notice(self, step: int, message: str) -> None:
        """Pass on."""
        for callback in self._callbacks:
            callback.on_notice(step, message)

    def __enter__(self) -> CallbackList:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for callback in self._started:
            callback.on_end(self.step, error)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return round(value, 7) if isinstance(value, float) else value


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
