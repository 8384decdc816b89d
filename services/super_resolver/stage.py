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
from services.common.artifacts import StoredMedia, read_latents
from services.common.cancellation import Cancellation
from services.common.denoising import Elapsed, StageProgress
from services.common.denoising_stage import (
    DenoisingJob,
    DenoisingStage,
    Warnings,
    log_done,
    sound_warnings,
)
from services.common.load_media import read_object
from services.super_resolver.engine import BaseVideo, SuperResolverEngine


@dataclass(frozen=True, kw_only=True)
class UpscaleJob(DenoisingJob):
    """What to refine and where to put it; ``latents_uri`` may be empty."""

    video_uri: str
    latents_uri: str


@dataclass(frozen=True)
class UpscaledFiles:
    """What was made and where it is."""

    video: StoredMedia
    elapsed: Elapsed
    num_function_evaluations: int
    warnings: Warnings


class UpscaleStage(DenoisingStage):
    """Runs super-resolutions, one at a time on the device."""

    name = "upscale"

    def run(
        self,
        engine: SuperResolverEngine,
        job: UpscaleJob,
        report: Callable[[StageProgress], None],
        cancellation: Cancellation,
    ) -> UpscaledFiles:
        """Run ``job``; whatever it wrote is gone again if it does not finish.

        Raises:
            InvalidInput: the base video does not fit the settings or the model.
            ResourceExhausted: the line for the device is full, or memory is.
            Cancelled: at most one denoising step after ``cancellation`` was set.
        """
        with self._on_device(job, report, cancellation) as turn:
            base = self._read_base(job)
            media = self._media(job, engine.info)
            with turn.loop() as loop:
                made = engine.upscale(
                    base,
                    job.prompt,
                    media,
                    job.sampling,
                    start=loop.start,
                    on_step=loop.on_step,
                    cancelled=loop.cancelled,
                )
                cancellation.raise_if_set()
                clip, dropped = carry_audio(base.clip, made.clip)
                video = turn.output.put_video("upscaled", clip)
            elapsed = turn.elapsed()
        evaluations = made.num_function_evaluations
        log_done("upscaled", made.num_steps, elapsed, evaluations)
        return UpscaledFiles(
            video=video,
            elapsed=elapsed,
            num_function_evaluations=evaluations,
            warnings=sound_warnings(dropped),
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
