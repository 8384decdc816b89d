"""What refines a base video. No gRPC here; torch is imported when weights are loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from omnireel.mvl import Prompt, TextPart
from omnireel.types import Clip, MediaSet, VideoFormat
from services.common.checkpoints import DenoisingState
from services.common.denoising import EngineStep
from services.common.denoising_engine import (
    DenoisingEngine,
    capabilities_of,
    engine_steps,
    longest_format,
    shortest_format,
)
from services.common.model_host import Engine
from services.common.model_info import ModelInfo, Sampling, read_cards
from services.common.threads import use_cpu_threads
from services.super_resolver.settings import SuperResolverSettings

if TYPE_CHECKING:
    from omnireel.generate import UpscalePipeline


@dataclass(frozen=True, eq=False)
class BaseVideo:
    """What the generator made: its video as stored (lossy), and its latents where given."""

    clip: Clip
    latents_CTHW: npt.NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class UpscaledVideo:
    """A finished larger video and what it took."""

    clip: Clip
    num_steps: int
    num_function_evaluations: int


class SuperResolverEngine(Engine, Protocol):
    """Refines base videos, one at a time."""

    def upscale(
        self,
        base: BaseVideo,
        prompt: Prompt,
        media: MediaSet,
        sampling: Sampling,
        *,
        start: DenoisingState | None = None,
        on_step: Callable[[EngineStep], None],
        cancelled: Callable[[], bool],
    ) -> UpscaledVideo:
        """Refine one video; ``on_step`` after, ``cancelled`` before each step.

        ``start`` goes on from a former call's step, to the same bits.

        ``sampling.num_upscale_steps`` counts here. Its guidance was the generator's: this model
        uses its own.

        Raises:
            InvalidInput: the model cannot serve the base's format, or media is missing.
            Cancelled: ``cancelled()`` was true.
        """
        ...


class PipelineEngine(DenoisingEngine["UpscalePipeline"]):
    """The real engine: :class:`omnireel.generate.UpscalePipeline` on one device."""

    @classmethod
    def load(cls, settings: SuperResolverSettings) -> PipelineEngine:
        """Load and check the weights that ``settings`` name."""
        from omnireel.generate import UpscalePipeline

        use_cpu_threads(settings.threads)
        pipeline = UpscalePipeline.load(settings.weights, settings.device)
        return cls(pipeline, model_info(pipeline, settings.weights, settings.device))

    def warm_up(self) -> None:
        """One step of one frame, so that the first caller does not wait for lazy start-up."""
        fmt = shortest_format(self._pipeline.limits)
        shape = (fmt.num_frames, fmt.height, fmt.width, 3)
        gray = Clip(np.full(shape, 128, np.uint8), fps=fmt.fps)
        self.upscale(
            BaseVideo(gray, None),
            Prompt((TextPart("warm up"),)),
            {},
            Sampling(fmt, seed=0, num_upscale_steps=1),
            on_step=lambda step: None,
            cancelled=lambda: False,
        )

    def upscale(
        self,
        base: BaseVideo,
        prompt: Prompt,
        media: MediaSet,
        sampling: Sampling,
        *,
        start: DenoisingState | None = None,
        on_step: Callable[[EngineStep], None],
        cancelled: Callable[[], bool],
    ) -> UpscaledVideo:
        """See :class:`SuperResolverEngine`."""
        from omnireel.generate import GenerationSettings, go_on_from

        defaults = self._pipeline.defaults
        num_steps = sampling.num_upscale_steps or defaults.num_inference_steps
        settings = GenerationSettings(
            format=sampling.format,
            seed=sampling.seed,
            num_inference_steps=num_steps,
            guidance=defaults.guidance,
        )
        made = self._pipeline.upscale(
            self._exact_base(base, prompt, media, sampling.format),
            prompt,
            media,
            settings,
            start=go_on_from(start.step, start.latents_CTHW) if start else None,
            on_step=engine_steps(on_step),
            cancelled=cancelled,
        )
        return UpscaledVideo(made.clip, num_steps, made.num_function_evaluations)

    def _exact_base(
        self, base: BaseVideo, prompt: Prompt, media: MediaSet, fmt: VideoFormat
    ) -> Clip:
        """The base as the generator saw it: from its latents, free of the mp4's losses."""
        if base.latents_CTHW is None:
            return replace(base.clip, audio=None)
        import torch

        from omnireel.generate.conditions import latent_shape
        from omnireel.generate.frames import video_to_frames

        conditions = self._pipeline.conditions
        expected = (self._pipeline.model.config.latent_channels, *latent_shape(fmt))
        check_latents(base.latents_CTHW, expected)
        latents_CTHW = torch.from_numpy(base.latents_CTHW).to(conditions.vae.latent_mean.device)
        video_CTHW = conditions.decode(latents_CTHW, prompt, media, fmt)
        return Clip(video_to_frames(video_CTHW), fps=fmt.fps)


def check_latents(latents_CTHW: npt.NDArray[np.float32], expected: tuple[int, ...]) -> None:
    """Refuse latents that are not those of the given format."""
    from omnireel.errors import InvalidInput

    if latents_CTHW.shape != expected:
        raise InvalidInput(
            f"the latents have the shape {latents_CTHW.shape}, the settings' format needs "
            f"{expected}; pass the generator's own result",
            field="latents_uri",
        )


def model_info(pipeline: UpscalePipeline, weights: Path, device: str) -> ModelInfo:
    """What the cards and limits of a loaded super-resolver say."""
    facts = read_cards([weights / "upscaler", weights / "vae"])
    limits, num_steps = pipeline.limits, pipeline.defaults.num_inference_steps
    defaults = Sampling(longest_format(limits), seed=0, num_upscale_steps=num_steps)
    return ModelInfo(
        kind="super_resolver",
        name=facts.name,
        version=facts.version,
        device=device,
        num_parameters=facts.num_parameters,
        weights_sha256=facts.weights_sha256,
        license=facts.license,
        capabilities=capabilities_of(limits, defaults, upscale_factor=pipeline.config.factor),
    )
