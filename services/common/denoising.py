"""What the generator's and the super-resolver's stages have in common: steps, previews, time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from omnireel.types import Frames
from services.common.artifacts import JobOutput


@dataclass(frozen=True, eq=False)
class EngineStep:
    """``step`` of ``num_steps`` are done; ``preview_THWC`` shows the present estimate."""

    step: int
    num_steps: int
    preview_THWC: Frames | None = None


@dataclass(frozen=True)
class StepReport:
    """One finished step, as callers are told about it."""

    step: int
    num_steps: int
    eta_s: float
    preview_uri: str = ""


@dataclass(frozen=True)
class Elapsed:
    """Seconds of one stage; ``codec_s`` is the part before and after the denoising loop."""

    total_s: float
    codec_s: float


class StepWatch:
    """Turns an engine's steps into reports, with previews now and then, and keeps the time."""

    def __init__(
        self,
        report: Callable[[StepReport], None],
        output: JobOutput,
        *,
        fps: float,
        preview_every_steps: int,
    ) -> None:
        self._report = report
        self._output = output
        self._fps = fps
        self._preview_every_steps = preview_every_steps
        self._created = self._loop_begun = self._last_step = time.monotonic()

    def begin(self) -> None:
        """The denoising loop begins now: the inputs are decoded."""
        self._loop_begun = self._last_step = time.monotonic()

    def __call__(self, event: EngineStep) -> None:
        """One step is done."""
        self._last_step = time.monotonic()
        per_step_s = (self._last_step - self._loop_begun) / max(1, event.step)
        self._report(
            StepReport(
                event.step,
                event.num_steps,
                eta_s=per_step_s * (event.num_steps - event.step),
                preview_uri=self._preview(event),
            )
        )

    def elapsed(self) -> Elapsed:
        """Time since this watch was made."""
        total = time.monotonic() - self._created
        return Elapsed(total, codec_s=total - (self._last_step - self._loop_begun))

    def _preview(self, event: EngineStep) -> str:
        every = self._preview_every_steps
        if event.preview_THWC is None or not every or event.step % every:
            return ""
        if event.step == event.num_steps:
            return ""  # The video itself is next.
        return self._output.put_preview(event.step, event.preview_THWC, self._fps)
