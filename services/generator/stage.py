"""One generation from stored inputs to stored results. No gRPC here.

1. Wait for the device (bounded).
2. Decode the inputs.
3. Denoise, reporting each step.
4. Carry the source's sound over, write latents and mp4 into the store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from omnireel.media import carry_audio
from omnireel.mvl import Prompt
from omnireel.store import ObjectStore
from services.common.artifacts import JobOutput, StoredMedia
from services.common.cancellation import Cancellation
from services.common.checkpoints import Checkpoints
from services.common.denoising import Elapsed, StepReport, StepWatch
from services.common.device_errors import memory_errors_fail_one_job
from services.common.device_gate import DeviceGate
from services.common.load_media import load_media, source_clip, useful_short_side
from services.common.logs import get_logger
from services.common.model_info import Sampling
from services.common.sandbox import MediaSandbox
from services.generator.engine import GeneratorEngine

log = get_logger(__name__)


@dataclass(frozen=True)
class GenerateJob:
    """What to make and where to put it; ``digest`` tells its checkpoints from other work's."""

    prompt: Prompt
    sampling: Sampling
    output_prefix: str
    preview_every_steps: int = 0
    state_prefix: str = ""
    digest: str = ""


@dataclass(frozen=True)
class GeneratedFiles:
    """What was made and where it is. ``warnings`` are (code, sentence) pairs."""

    video: StoredMedia
    latents_uri: str
    sampling: Sampling
    elapsed: Elapsed
    num_function_evaluations: int
    warnings: tuple[tuple[str, str], ...]


class GenerateStage:
    """Runs generations, one at a time on the device, or a few alike together."""

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

    def run(
        self,
        engine: GeneratorEngine,
        job: GenerateJob,
        report: Callable[[StepReport], None],
        cancellation: Cancellation,
    ) -> GeneratedFiles:
        """Run ``job``; whatever it wrote is gone again if it does not finish.

        Raises:
            InvalidInput: the settings or media do not fit the model.
            ResourceExhausted: the line for the device is full, or memory is.
            Cancelled: at most one denoising step after ``cancellation`` was set.
        """
        output = JobOutput(self._store, job.output_prefix)
        checkpoints = Checkpoints(
            self._store, job.state_prefix, "generate", job.digest, self._checkpoint_every_steps
        )
        with (
            self._gate.hold(
                cancellation,
                kind=job.sampling.format,
                places=engine.together(job.sampling),
            ) as cancelled,
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
            media = load_media(
                self._store,
                job.prompt,
                self._sandbox,
                shrink_short_side=useful_short_side(engine.info.capabilities.sizes),
            )
            cancellation.raise_if_set()
            start = checkpoints.load()
            watch.begin(start)
            with watch.handing_over(cancellation):
                made = engine.generate(
                    job.prompt,
                    media,
                    job.sampling,
                    start=start,
                    on_step=watch,
                    cancelled=cancelled,
                )
                cancellation.raise_if_set()
                source = source_clip(job.prompt, media)
                clip, dropped = carry_audio(source, made.clip) if source else (made.clip, "")
                video = output.put_video("base", clip)
                latents_uri = output.put_latents(made.latents_CTHW)
                cancellation.raise_if_set()
            elapsed = watch.elapsed()
        log.info(
            "generated",
            num_steps=made.sampling.num_inference_steps,
            seconds=round(elapsed.total_s, 3),
            codec_seconds=round(elapsed.codec_s, 3),
            num_function_evaluations=made.num_function_evaluations,
        )
        return GeneratedFiles(
            video=video,
            latents_uri=latents_uri,
            sampling=made.sampling,
            elapsed=elapsed,
            num_function_evaluations=made.num_function_evaluations,
            warnings=(*made.warnings, *((("SOUND_DROPPED", dropped),) if dropped else ())),
        )
