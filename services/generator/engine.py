"""What makes a base video. No gRPC here; torch is imported when weights are loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from omnireel.mvl import Prompt, TextPart
from omnireel.types import Clip, MediaSet
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
from services.common.model_info import (
    GuidanceScales,
    ModelCapabilities,
    ModelInfo,
    Sampling,
    read_cards,
)
from services.common.threads import use_cpu_threads
from services.generator.settings import GeneratorSettings

if TYPE_CHECKING:
    from omnireel.generate import (
        GenerationSettings,
        GeneratorPipeline,
        ModelLimits,
        SamplingDefaults,
    )


@dataclass(frozen=True, eq=False)
class GeneratedVideo:
    """A finished base video: latents for the super-resolver, decoded frames, what it took."""

    latents_CTHW: npt.NDArray[np.float32]
    clip: Clip
    sampling: Sampling
    """As used: every default filled in."""
    num_function_evaluations: int
    warnings: tuple[tuple[str, str], ...] = ()
    """``(code, sentence)`` pairs about what was not used of the media."""


class GeneratorEngine(Engine, Protocol):
    """Makes base videos, one at a time or a few alike together."""

    def together(self, sampling: Sampling) -> int:
        """How many jobs of this format are done sooner together than one after the other."""
        ...

    def generate(
        self,
        prompt: Prompt,
        media: MediaSet,
        sampling: Sampling,
        *,
        start: DenoisingState | None = None,
        on_step: Callable[[EngineStep], None],
        cancelled: Callable[[], bool],
    ) -> GeneratedVideo:
        """Denoise and decode one video; ``on_step`` after, ``cancelled`` before each step.

        ``start`` goes on from a former call's step, to the same bits.

        Raises:
            InvalidInput: the model cannot serve these settings, or media is missing.
            Cancelled: ``cancelled()`` was true.
        """
        ...


class PipelineEngine(DenoisingEngine["GeneratorPipeline"]):
    """The real engine: :class:`omnireel.generate.GeneratorPipeline` on one device."""

    @classmethod
    def load(cls, settings: GeneratorSettings) -> PipelineEngine:
        """Load and check the weights that ``settings`` name."""
        from omnireel.generate import GeneratorPipeline

        use_cpu_threads(settings.threads)
        pipeline = GeneratorPipeline.load(settings.weights, settings.device, settings.adapter)
        pipeline.denoiser.max_tokens = settings.batch_tokens
        info = model_info(pipeline, settings.weights, settings.device, settings.adapter)
        return cls(pipeline, info)

    def together(self, sampling: Sampling) -> int:
        """See :class:`GeneratorEngine`."""
        return self._pipeline.together(sampling.format)

    def warm_up(self) -> None:
        """One step of one frame, so that the first caller does not wait for lazy start-up."""
        fmt = shortest_format(self._pipeline.limits)
        self.generate(
            Prompt((TextPart("warm up"),)),
            {},
            Sampling(fmt, seed=0, num_inference_steps=1),
            on_step=lambda step: None,
            cancelled=lambda: False,
        )

    def generate(
        self,
        prompt: Prompt,
        media: MediaSet,
        sampling: Sampling,
        *,
        start: DenoisingState | None = None,
        on_step: Callable[[EngineStep], None],
        cancelled: Callable[[], bool],
    ) -> GeneratedVideo:
        """See :class:`GeneratorEngine`."""
        from omnireel.generate import go_on_from
        from omnireel.generate.unused import unused

        used = with_defaults(sampling, self._pipeline.defaults)
        made = self._pipeline.generate(
            prompt,
            media,
            pipeline_settings(used),
            start=go_on_from(start.step, start.latents_CTHW) if start else None,
            on_step=engine_steps(on_step),
            cancelled=cancelled,
        )
        return GeneratedVideo(
            latents_CTHW=made.latents_CTHW.float().cpu().numpy(),
            clip=made.clip,
            sampling=used,
            num_function_evaluations=made.num_function_evaluations,
            warnings=unused(self._pipeline.conditions, prompt, media, used.format),
        )


def with_defaults(sampling: Sampling, defaults: SamplingDefaults) -> Sampling:
    """``sampling`` with the model's own values where the caller said nothing."""
    given, usual = sampling.guidance, defaults.guidance
    return replace(
        sampling,
        num_inference_steps=sampling.num_inference_steps or defaults.num_inference_steps,
        guidance=GuidanceScales(
            text=usual.text if given.text is None else given.text,
            image=usual.image if given.image is None else given.image,
            video=usual.video if given.video is None else given.video,
        ),
    )


def pipeline_settings(used: Sampling) -> GenerationSettings:
    """The library's settings for complete ``used`` ones."""
    from omnireel.generate import GenerationSettings
    from omnireel.sampling import Guidance

    scales = used.guidance
    assert scales.text is not None and scales.image is not None and scales.video is not None
    return GenerationSettings(
        format=used.format,
        seed=used.seed,
        num_inference_steps=used.num_inference_steps,
        guidance=Guidance(text=scales.text, image=scales.image, video=scales.video),
    )


def model_info(
    pipeline: GeneratorPipeline, weights: Path, device: str, adapter: Path | None = None
) -> ModelInfo:
    """What the cards and limits of a loaded generator say.

    With an adapter, name and version are ``base+adapter``: a version that is pinned pins both.
    """
    from omnireel.generate.adapters import base_of

    facts = read_cards([base_of(adapter, weights), weights / "vae"])
    name, version, num_parameters = facts.name, facts.version, facts.num_parameters
    if adapter is not None:
        added = read_cards([adapter])
        name, version = f"{name}+{added.name}", f"{version}+{added.version}"
        num_parameters += added.num_parameters
    return ModelInfo(
        kind="generator",
        name=name,
        version=version,
        device=device,
        num_parameters=num_parameters,
        weights_sha256=facts.weights_sha256,
        license=facts.license,
        capabilities=capabilities(pipeline.limits, pipeline.defaults),
    )


def capabilities(limits: ModelLimits, defaults: SamplingDefaults) -> ModelCapabilities:
    """A pipeline's limits in the services' terms; its longest clip of the first size is default."""
    fmt = longest_format(limits)
    return capabilities_of(limits, with_defaults(Sampling(fmt, seed=0), defaults))
