"""What the engines over the pipelines of :mod:`omnireel.generate` have in common.

torch is imported when weights are loaded, not with this module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from omnireel.types import VideoFormat
from services.common.denoising import EngineStep
from services.common.model_info import Denoised, ModelCapabilities, ModelInfo, Sampling

if TYPE_CHECKING:
    from omnireel.generate import GeneratorPipeline, ModelLimits, PipelineStep, UpscalePipeline

P = TypeVar("P", bound="GeneratorPipeline | UpscalePipeline")


class DenoisingEngine(Generic[P]):
    """A pipeline on one device."""

    def __init__(self, pipeline: P, info: ModelInfo) -> None:
        self._pipeline = pipeline
        self.info = info

    @property
    def denoised(self) -> Denoised:
        """See :class:`services.common.model_host.Engine`."""
        count = self._pipeline.denoiser.count
        return Denoised(count.steps, count.calls)


def engine_steps(on_step: Callable[[EngineStep], None]) -> Callable[[PipelineStep], None]:
    """The callback of a pipeline that tells ``on_step``."""

    def forward(event: PipelineStep) -> None:
        on_step(EngineStep(event.step, event.num_steps, event.preview, event.latents))

    return forward


def shortest_format(limits: ModelLimits) -> VideoFormat:
    """The shortest clip of the first size."""
    width, height = limits.sizes[0]
    return VideoFormat(width, height, limits.min_frames, limits.fps)


def longest_format(limits: ModelLimits) -> VideoFormat:
    """The longest clip of the first size: the default of a service."""
    width, height = limits.sizes[0]
    return VideoFormat(width, height, limits.max_frames, limits.fps)


def capabilities_of(
    limits: ModelLimits, defaults: Sampling, *, upscale_factor: int = 0
) -> ModelCapabilities:
    """A pipeline's limits in the services' terms."""
    return ModelCapabilities(
        tasks=limits.capabilities,
        sizes=limits.sizes,
        min_frames=limits.min_frames,
        max_frames=limits.max_frames,
        fps=(limits.fps,),
        upscale_factor=upscale_factor,
        max_inference_steps=limits.max_inference_steps,
        guidance_baked_in=limits.guidance_baked_in,
        defaults=defaults,
    )
