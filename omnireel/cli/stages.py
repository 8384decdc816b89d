"""Progress of long work in stages: a bar each with rate and time to go, or lines."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from omnireel.cli.printing import err


class StageBars:
    """Bars by stage; what was done before the first call is no part of a rate."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<16}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>10}"),
            TimeRemainingColumn(),
            console=err(),
            disable=not sys.stderr.isatty(),
        )
        self._tasks: dict[str, TaskID] = {}
        self._begun: dict[str, tuple[float, int]] = {}
        self._told: dict[str, int] = {}

    def __enter__(self) -> StageBars:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def show(self, stage: str, done: int, total: int) -> None:
        """Draw where a stage is."""
        began, before = self._begun.setdefault(stage, (time.monotonic(), done))
        passed = time.monotonic() - began
        rate = (done - before) / passed if done > before and passed > 0 else 0.0
        words = f"{rate:.1f}/s" if rate else ""
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, rate="")
        self._bars.update(self._tasks[stage], completed=done, total=total, rate=words)
        if not sys.stderr.isatty():
            self._line(stage, done, total, rate)

    def _line(self, stage: str, done: int, total: int, rate: float) -> None:
        """Every twentieth part as a line."""
        part = 20 * done // max(total, 1)
        if self._told.get(stage) == part or not total:
            return
        self._told[stage] = part
        words = f", {rate:.1f}/s, {(total - done) / rate:.0f} s to go" if rate else ""
        sys.stderr.write(f"{stage}: {done}/{total}{words}\n")
        sys.stderr.flush()
