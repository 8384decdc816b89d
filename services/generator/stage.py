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
from services.common.artifacts import StoredMedia
from services.common.cancellation import Cancellation
from services.common.denoising import Elapsed, StageProgress
from services.common.denoising_stage import (
    DenoisingJob,
    DenoisingStage,
    Warnings,
    log_done,
    sound_warnings,
)
from services.common.load_media import source_clip
from services.common.model_info import Sampling
from services.generator.engine import GeneratorEngine


@dataclass(frozen=True)
class GeneratedFiles:
    """What was made and where it is."""

    video: StoredMedia
    latents_uri: str
    sampling: Sampling
    elapsed: Elapsed
    num_function_evaluations: int
    warnings: Warnings


class GenerateStage(DenoisingStage):
    """Runs generations, one at a time on the device, or a few alike together."""

    name = "generate"

    def run(
        self,
        engine: GeneratorEngine,
        job: DenoisingJob,
        report: Callable[[StageProgress], None],
        cancellation: Cancellation,
    ) -> GeneratedFiles:
        """Run ``job``; whatever it wrote is gone again if it does not finish.

        Raises:
            InvalidInput: the settings or media do not fit the model.
            ResourceExhausted: the line for the device is full, or memory is.
            Cancelled: at most one denoising step after ``cancellation`` was set.
        """
        places = engine.together(job.sampling)
        with self._on_device(job, report, cancellation, places=places) as turn:
            media = self._media(job, engine.info)
            with turn.loop() as loop:
                made = engine.generate(
                    job.prompt,
                    media,
                    job.sampling,
                    start=loop.start,
                    on_step=loop.on_step,
                    cancelled=loop.cancelled,
                )
                cancellation.raise_if_set()
                source = source_clip(job.prompt, media)
                clip, dropped = carry_audio(source, made.clip) if source else (made.clip, "")
                video = turn.output.put_video("base", clip)
                latents_uri = turn.output.put_latents(made.latents_CTHW)
            elapsed = turn.elapsed()
        evaluations = made.num_function_evaluations
        log_done("generated", made.sampling.num_inference_steps, elapsed, evaluations)
        return GeneratedFiles(
            video=video,
            latents_uri=latents_uri,
            sampling=made.sampling,
            elapsed=elapsed,
            num_function_evaluations=evaluations,
            warnings=(*made.warnings, *sound_warnings(dropped)),
        )
