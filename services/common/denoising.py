"""What the generator's and the super-resolver's stages have in common: steps, previews, time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnireel.errors import Cancelled
from omnireel.types import Frames
from services.common.artifacts import JobOutput
from services.common.cancellation import Cancellation, Preempted
from services.common.checkpoints import Checkpoints, DenoisingState
from services.common.pulse import Pulse


@dataclass(frozen=True, eq=False)
class EngineStep:
    """``step`` of ``num_steps`` are done; ``preview()`` draws the present estimate (``THWC``), and
    ``latents_CTHW`` brings the noisy latents from the device, to go on from."""

    step: int
    num_steps: int
    preview: Callable[[], Frames]
    latents_CTHW: Callable[[], npt.NDArray[np.float32]] | None = None


@dataclass(frozen=True)
class StageProgress:
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
        report: Callable[[StageProgress], None],
        output: JobOutput,
        *,
        pulse: Pulse,
        preview_every_steps: int,
        checkpoints: Checkpoints,
    ) -> None:
        self._report = report
        self._output = output
        self._pulse = pulse
        self._preview_every_steps = preview_every_steps
        self._checkpoints = checkpoints
        self._present: EngineStep | None = None
        self._done_before = 0
        self._created = self._loop_begun = self._last_step = time.monotonic()

    def accepted(self) -> None:
        """Say that the work has the device: from now on a lost process may be its fault."""
        self._report(StageProgress(0, 0, 0.0))

    def begin(self, start: DenoisingState | None) -> None:
        """The denoising loop begins now, after the steps of ``start``: the inputs are decoded."""
        self._done_before = start.step if start else 0
        self._loop_begun = self._last_step = time.monotonic()
        self._pulse.step_begins()

    def __call__(self, event: EngineStep) -> None:
        """One step is done."""
        self._pulse.step_done()
        self._last_step = time.monotonic()
        per_step_s = (self._last_step - self._loop_begun) / max(1, event.step - self._done_before)
        self._report(
            StageProgress(
                event.step,
                event.num_steps,
                eta_s=per_step_s * (event.num_steps - event.step),
                preview_uri=self._preview(event),
            )
        )
        self._present = event
        if self._checkpoints.due(event.step, event.num_steps):
            self.keep()
        if event.step < event.num_steps:
            self._pulse.step_begins()

    def keep(self) -> None:
        """Store the present state, so that another process can go on from here."""
        event = self._present
        if event is not None and event.latents_CTHW is not None:
            self._checkpoints.save(DenoisingState(event.step, event.latents_CTHW()))

    @contextmanager
    def handing_over(self, cancellation: Cancellation) -> Iterator[None]:
        """Store the present state if the block ends because the work is to be handed over."""
        try:
            yield
        except (Cancelled, Preempted):
            if cancellation.handed_over:
                self._pulse.aside()
                self.keep()
            raise
        finally:
            self._present = None  # it holds the job's tensors

    def elapsed(self) -> Elapsed:
        """Time since this watch was made."""
        total = time.monotonic() - self._created
        return Elapsed(total, codec_s=total - (self._last_step - self._loop_begun))

    def _preview(self, event: EngineStep) -> str:
        every = self._preview_every_steps
        if not every or event.step % every:
            return ""
        if event.step == event.num_steps:
            return ""  # The video itself is next.
        return self._output.put_preview(event.step, event.preview())
