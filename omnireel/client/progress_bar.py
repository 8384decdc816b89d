"""A live progress bar for a job: queue, stage, step and time to go."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from omnireel.api.v1 import progress_pb2, video_pb2
from omnireel.client.watching import FINAL_STATES

_STAGES = {
    progress_pb2.STAGE_QUEUED: "waiting",
    progress_pb2.STAGE_ENHANCING: "enhancing the prompt",
    progress_pb2.STAGE_GENERATING: "generating",
    progress_pb2.STAGE_UPSCALING: "upscaling",
    progress_pb2.STAGE_FINISHING: "finishing",
}


class ProgressBar:
    """Shows events on standard error; without a terminal, one line per stage.

    For ``on_progress`` of either client::

        with ProgressBar() as bar:
            client.generate("A cat jumps", on_progress=bar)
    """

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._bar = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("sending", total=1.0, detail="")
        self._stage = progress_pb2.STAGE_UNSPECIFIED

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, event: video_pb2.VideoProgress) -> None:
        """Draw one event."""
        if event.state in FINAL_STATES:
            return
        progress = event.progress
        label = _STAGES.get(progress.stage, "working")
        if event.state == video_pb2.VIDEO_STATE_CANCELLING:
            label = "cancelling"
        self._bar.update(self._task, description=label, completed=progress.fraction)
        self._bar.update(self._task, detail=detail(progress, self._bar.tasks[0].time_remaining))
        if progress.stage != self._stage and not self._console.is_terminal:
            self._console.print(f"{label} {detail(progress)}".rstrip())
        self._stage = progress.stage


def detail(progress: progress_pb2.Progress, estimate_s: float | None = None) -> str:
    """``step 3/20, 12 s to go`` or ``2 jobs ahead``; ``estimate_s`` is for servers without one."""
    words = []
    if progress.stage == progress_pb2.STAGE_QUEUED and progress.queue_position:
        jobs = "job" if progress.queue_position == 1 else "jobs"
        words.append(f"{progress.queue_position} {jobs} ahead")
    if progress.num_steps:
        words.append(f"step {progress.step}/{progress.num_steps}")
    left_s = progress.eta.ToMilliseconds() / 1000 if progress.HasField("eta") else estimate_s
    if left_s is not None:
        words.append(f"{left_s:.0f} s to go")
    return ", ".join(words)
