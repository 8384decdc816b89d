"""One super-resolution from stored inputs to a stored result. No gRPC here.

1. Wait for the device (bounded).
2. Read the base video and its latents, decode the prompt's media.
3. Denoise, reporting each step.
4. Give the result the base's sound, write the mp4 into the store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from omnireel.errors import InvalidInput
from omnireel.media import carry_audio, read_clip
from omnireel.mvl import Prompt
from omnireel.store import ObjectStore
from services.common.artifacts import JobOutput, StoredMedia, read_latents
from services.common.cancellation import Cancellation
from services.common.checkpoints import Checkpoints
from services.common.denoising import Elapsed, StepReport, StepWatch
from services.common.device_errors import memory_errors_fail_one_job
from services.common.device_gate import DeviceGate
from services.common.load_media import load_media, read_object, useful_short_side
from services.common.logs import get_logger
from services.common.model_info import Sampling
from services.common.sandbox import MediaSandbox
from services.super_resolver.engine import BaseVideo, SuperResolverEngine

log = get_logger(__name__)


@dataclass(frozen=True)
class UpscaleJob:
    """What to refine and where to put it; ``latents_uri`` may be empty.

    ``digest`` tells its checkpoints from other work's.
    """

    prompt: Prompt
    sampling: Sampling
    video_uri: str
    latents_uri: str
    output_prefix: str
    preview_every_steps: int = 0
    state_prefix: str = ""
    digest: str = ""


@dataclass(frozen=True)
class UpscaledFiles:
    """What was made and where it is. ``warnings`` are (code, sentence) pairs."""

    video: StoredMedia
    elapsed: Elapsed
    num_function_evaluations: int
    warnings: tuple[tuple[str, str], ...]


class UpscaleStage:
    """Runs super-resolutions, one at a time on the device."""

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
        engine: SuperResolverEngine,
        job: UpscaleJob,
        report: Callable[[StepReport], None],
        cancellation: Cancellation,
    ) -> UpscaledFiles:
        """Run ``job``; whatever it wrote is gone again if it does not finish.

        Raises:
            InvalidInput: the base video does not fit the settings or the model.
            ResourceExhausted: the line for the device is full, or memory is.
            Cancelled: at most one denoising step after ``cancellation`` was set.
        """
        output = JobOutput(self._store, job.output_prefix)
        checkpoints = Checkpoints(
            self._store, job.state_prefix, "upscale", job.digest, self._checkpoint_every_steps
        )
        with (
            self._gate.hold(cancellation) as cancelled,
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
            base = self._read_base(job)
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
                made = engine.upscale(
                    base,
                    job.prompt,
                    media,
                    job.sampling,
                    start=start,
                    on_step=watch,
                    cancelled=cancelled,
                )
                cancellation.raise_if_set()
                clip, dropped = carry_audio(base.clip, made.clip)
                video = output.put_video("upscaled", clip)
                cancellation.raise_if_set()
            elapsed = watch.elapsed()
        log.info(
            "upscaled",
            num_steps=made.num_steps,
            seconds=round(elapsed.total_s, 3),
            codec_seconds=round(elapsed.codec_s, 3),
            num_function_evaluations=made.num_function_evaluations,
        )
        return UpscaledFiles(
            video=video,
            elapsed=elapsed,
            num_function_evaluations=made.num_function_evaluations,
            warnings=(("SOUND_DROPPED", dropped),) if dropped else (),
        )

    def _read_base(self, job: UpscaleJob) -> BaseVideo:
        data = read_object(self._store, job.video_uri, self._sandbox.limits, "video_uri")
        clip = read_clip(data, self._sandbox.limits, field="video_uri")
        found, wanted = clip.format, job.sampling.format
        if (found.width, found.height, found.num_frames) != (
            wanted.width,
            wanted.height,
            wanted.num_frames,
        ):
            raise InvalidInput(
                f"the base video is {found.width}x{found.height} with {found.num_frames} frames, "
                f"the settings say {wanted.width}x{wanted.height} with {wanted.num_frames}; pass "
                "the generator's own settings",
                field="settings.format",
            )
        # The container stores the rate as a fraction; the settings have the exact number.
        clip = type(clip)(clip.frames_THWC, fps=wanted.fps, audio=clip.audio)
        if not job.latents_uri:
            return BaseVideo(clip, None)
        return BaseVideo(clip, read_latents(self._store, job.latents_uri))
