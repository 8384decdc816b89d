"""What the generator's and the super-resolver's jobs have in common, from the line for the device
to the stored result. No gRPC here.

A stage reads its inputs and calls its engine; everything around that is here: the device, memory
that runs out, checkpoints, reports, previews, handing over, and files that must not stay behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from omnireel.mvl import Prompt
from omnireel.store import ObjectStore
from omnireel.types import MediaSet
from services.common.artifacts import JobOutput
from services.common.cancellation import Cancellation
from services.common.checkpoints import Checkpoints, DenoisingState
from services.common.denoising import Elapsed, EngineStep, StageProgress, StepWatch
from services.common.device_errors import memory_errors_fail_one_job
from services.common.device_gate import DeviceGate
from services.common.load_media import load_media, useful_short_side
from services.common.logs import get_logger
from services.common.model_info import ModelInfo, Sampling
from services.common.sandbox import MediaSandbox

log = get_logger(__name__)

Warnings = tuple[tuple[str, str], ...]
"""(code, sentence) pairs."""


@dataclass(frozen=True, kw_only=True)
class DenoisingJob:
    """What to make and where to put it; ``digest`` tells its checkpoints from other work's."""

    prompt: Prompt
    sampling: Sampling
    output_prefix: str
    preview_every_steps: int = 0
    state_prefix: str = ""
    digest: str = ""


@dataclass(frozen=True, eq=False)
class LoopControls:
    """What an engine's denoising loop is given."""

    start: DenoisingState | None
    """The state to go on from; None: from noise."""
    on_step: Callable[[EngineStep], None]
    """To call after each step."""
    cancelled: Callable[[], bool]
    """To look at before each step."""


@dataclass(frozen=True, eq=False)
class DeviceTurn:
    """One job that has the device."""

    output: JobOutput
    _watch: StepWatch
    _checkpoints: Checkpoints
    _cancelled: Callable[[], bool]
    _cancellation: Cancellation

    @contextmanager
    def loop(self) -> Iterator[LoopControls]:
        """Denoise and store the result in this block; the inputs have been read.

        Raises:
            Cancelled: before or after the block, if asked to stop. What was denoised is stored if
                the work is handed over.
        """
        self._cancellation.raise_if_set()
        start = self._checkpoints.load()
        self._watch.begin(start)
        with self._watch.handing_over(self._cancellation):
            yield LoopControls(start, self._watch, self._cancelled)
            self._cancellation.raise_if_set()

    def elapsed(self) -> Elapsed:
        """Time since the job got the device."""
        return self._watch.elapsed()


class DenoisingStage:
    """Runs jobs on the device; ``name`` is that of the stage's checkpoints."""

    name: str

    def __init__(
        self,
        store: ObjectStore,
        gate: DeviceGate,
        sandbox: MediaSandbox,
        checkpoint_every_steps: int = 0,
    ) -> None:
        self._store = store
        self._gate = gate
        self._checkpoint_every_steps = checkpoint_every_steps
        self._sandbox = sandbox

    @contextmanager
    def _on_device(
        self,
        job: DenoisingJob,
        report: Callable[[StageProgress], None],
        cancellation: Cancellation,
        *,
        places: int = 1,
    ) -> Iterator[DeviceTurn]:
        """Have the device for the block, with up to ``places - 1`` jobs of the same format.

        What the block wrote is deleted again if it raises.

        Raises:
            InvalidInput: the output prefix is not one.
            ResourceExhausted: the line for the device is full, or memory is.
            Cancelled: while waiting.
        """
        output = JobOutput(self._store, job.output_prefix)
        checkpoints = Checkpoints(
            self._store, job.state_prefix, self.name, job.digest, self._checkpoint_every_steps
        )
        with (
            self._gate.hold(cancellation, kind=job.sampling.format, places=places) as cancelled,
            memory_errors_fail_one_job("settings.format"),
            output.kept_on_success(),
        ):
            watch = StepWatch(
                report,
                output,
                pulse=cancelled,
                preview_every_steps=job.preview_every_steps,
                checkpoints=checkpoints,
            )
            watch.accepted()
            yield DeviceTurn(output, watch, checkpoints, cancelled, cancellation)

    def _media(self, job: DenoisingJob, model: ModelInfo) -> MediaSet:
        """The prompt's media, decoded no larger than is of use to ``model``."""
        return load_media(
            self._store,
            job.prompt,
            self._sandbox,
            shrink_short_side=useful_short_side(model.capabilities.sizes),
        )


def log_done(event: str, num_steps: int, elapsed: Elapsed, num_function_evaluations: int) -> None:
    """The line of a finished job."""
    log.info(
        event,
        num_steps=num_steps,
        seconds=round(elapsed.total_s, 3),
        codec_seconds=round(elapsed.codec_s, 3),
        num_function_evaluations=num_function_evaluations,
    )


def sound_warnings(dropped: str) -> Warnings:
    """The warning that a source's sound was not carried over, ``dropped`` says why; empty: none."""
    return (("SOUND_DROPPED", dropped),) if dropped else ()
