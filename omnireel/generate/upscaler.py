"""The super-resolver as one call: a base clip and its prompt in, a clip of twice the size out.

1. The base clip is enlarged: interpolated, and given the detail that its own pixels tell
   (:mod:`omnireel.upscale.enlarger`). Encoded, that is the condition ``z_low``.
2. The transformer denoises the latents ``z`` of the sharp clip under that condition, the prompt and
   the reference pictures.
3. The result is ``enlarged + decode(z) - decode(z_low)``: only what the transformer changed passes
   the autoencoder, so detail that the enlarged clip already has is never lost to it.
4. Where that looks like the media it was made from, at the same place, their own pixels are shown
   if they are as large as the result, as a learned comparison says
   (:mod:`omnireel.upscale.fusion`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.generate import components
from omnireel.generate.conditions import ConditionEncoder, latent_shape, source_ids
from omnireel.generate.enlarging import Enlarged, enlarged, interpolated
from omnireel.generate.frames import frames_to_video, video_to_frames
from omnireel.generate.given import given_videos
from omnireel.generate.latent_sampler import LatentSampler, with_previews
from omnireel.generate.pipeline import Generated, seeded_noise
from omnireel.generate.settings import (
    GenerationSettings,
    ModelLimits,
    PipelineStep,
    SamplingDefaults,
)
from omnireel.model.sequence import OmniSample, Segment
from omnireel.model.transformer import OmniTransformer
from omnireel.mvl.prompt import Prompt
from omnireel.sampling import sampler
from omnireel.sampling.sharing import SharedDenoiser
from omnireel.types import Clip, MediaSet, Role, VideoFormat
from omnireel.upscale.enlarger import Enlarger, EnlargerConfig
from omnireel.upscale.fusion import FusionConfig, ReferenceFusion, fused
from omnireel.upscale.windows import WindowConfig, pack_windows


@dataclass(frozen=True)
class UpscaleConfig:
    """``factor`` times the size, denoised with attention inside ``window``."""

    factor: int = 2
    window: WindowConfig = field(default_factory=WindowConfig)
    enlarger: EnlargerConfig | None = None
    """The network that enlarges the base clip; None: interpolation alone does."""
    fusion: FusionConfig | None = None
    """The network that says which given pixels to show; None: none are."""


class UpscalePipeline:
    """A loaded super-resolver with its autoencoder and tokenizer."""

    def __init__(
        self,
        model: OmniTransformer,
        conditions: ConditionEncoder,
        config: UpscaleConfig,
        defaults: SamplingDefaults,
        limits: ModelLimits,
        version: str = "unsaved",
        *,
        enlarger: Enlarger | None = None,
        fusion: ReferenceFusion | None = None,
    ) -> None:
        self.model = model
        self.enlarger = enlarger
        self.fusion = fusion
        self.denoiser = SharedDenoiser(model)
        self.conditions = conditions
        self.config = config
        self.defaults = defaults
        self.limits = limits
        self.version = version

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> UpscalePipeline:
        """Load ``folder/upscaler`` and ``folder/vae``; hashes are checked.

        Raises:
            NotFound, IntegrityError: weights are missing, tampered with or do not belong together.
        """
        return cls.open(folder / "upscaler", folder / "vae", device)

    @classmethod
    def open(cls, upscaler: Path, vae: Path, device: str = "cpu") -> UpscalePipeline:
        """Load two component folders; raises what :meth:`load` raises."""
        model, component = components.load_transformer(upscaler, "upscaler", device)
        components.check_latent_space(component, vae)
        limits = components.model_limits(component)
        with component.building() as data:
            config = upscale_config(data["upscale"])
        encoder = ConditionEncoder(
            vae=components.load_vae(vae, device),
            tokenizer=components.tokenizer_of(model.config),
            short_side=limits.short_side,
            patch=model.config.patch,
        )
        return cls(
            model,
            encoder,
            config,
            components.sampling_defaults(component),
            limits,
            components.weights_sha256(component),
            enlarger=components.load_enlarger(component, upscaler, device),
            fusion=components.load_fusion(component, upscaler, device),
        )

    def upscale(
        self,
        base: Clip,
        prompt: Prompt,
        media: MediaSet,
        settings: GenerationSettings,
        *,
        start: sampler.SamplerState | None = None,
        on_step: Callable[[PipelineStep], None] = lambda event: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Generated:
        """Make the clip sharper and ``factor`` times as large; ``settings.format`` is the base's.

        ``start`` goes on from a former call's step, see
        :func:`omnireel.sampling.sample_latents`.

        Raises:
            InvalidInput: the base clip or the settings are outside the model's limits.
            Cancelled: ``cancelled()`` became true; at most one denoising step later.
        """
        self.limits.check(settings)
        if base.format != settings.format:
            raise InvalidInput(
                f"the base clip is {base.format}, the settings say {settings.format}; pass the "
                "generator's own result",
                field="base",
            )
        large = enlarged(self._video(base), self.config.factor, self.enlarger)
        enlarged_CTHW = large.video_CTHW
        sample = self._sample(base.format, enlarged_CTHW, prompt, media)
        vae = self.conditions.vae
        device = vae.latent_mean.device
        sampled = LatentSampler(
            self.denoiser,
            self.defaults,
            self.conditions.tokenizer.empty(),
            partial(pack_windows, config=self.config.window, device=device),
        )
        channels = self.model.config.latent_channels
        with self.denoiser.loop():
            latents, evaluations = sampled(
                sample,
                seeded_noise(settings.seed, channels, sample.target_shape, device),
                settings.num_inference_steps,
                settings.guidance,
                start=start,
                on_step=with_previews(vae, on_step),
                cancelled=cancelled,
            )
        low = sample.segments[-1].latents_CTHW
        composed_CTHW = self.compose(enlarged_CTHW, low, latents)
        frames = video_to_frames(
            self.show_given(replace(large, video_CTHW=composed_CTHW), base.format, prompt, media)
        )
        return Generated(
            latents_CTHW=latents,
            clip=Clip(frames, fps=base.fps),
            num_function_evaluations=evaluations,
        )

    def interpolate(self, base: Clip) -> Tensor:
        """The base clip at the new size, with nothing learned ``[3, T, H, W]``."""
        return interpolated(self._video(base), self.config.factor)

    def enlarge(self, base: Clip) -> Tensor:
        """The base clip at the new size, as its pixels tell ``[3, T, H, W]``."""
        return enlarged(self._video(base), self.config.factor, self.enlarger).video_CTHW

    def compose(self, enlarged_CTHW: Tensor, low: Tensor, latents: Tensor) -> Tensor:
        """The enlarged clip plus what ``latents`` change in its own, ``low`` ``[3, T, H, W]``."""
        after_CTHW, before_CTHW = self.conditions.vae.decode(torch.stack([latents, low]))
        composed_CTHW: Tensor = enlarged_CTHW + after_CTHW - before_CTHW
        return composed_CTHW

    @torch.no_grad()
    def show_given(
        self, large: Enlarged, fmt: VideoFormat, prompt: Prompt, media: MediaSet
    ) -> Tensor:
        """A clip that was made from one of ``fmt``, with the pixels that it shows of large media
        ``[3, T, H, W]``."""
        made_CTHW = large.video_CTHW
        if self.fusion is None or self.enlarger is None or large.features_CTHW is None:
            return made_CTHW
        _, _, height, width = made_CTHW.shape
        videos = given_videos(prompt, media, replace(fmt, width=width, height=height))
        given = [video.to(made_CTHW) for video in videos]
        return fused(self.fusion, self.enlarger, made_CTHW, large.features_CTHW, given)

    def _video(self, base: Clip) -> Tensor:
        return frames_to_video(base.frames_THWC).to(self.conditions.vae.latent_mean.device)

    def _sample(
        self, fmt: VideoFormat, enlarged_CTHW: Tensor, prompt: Prompt, media: MediaSet
    ) -> OmniSample:
        """The model's view: the original MVL conditions, then the enlarged base clip."""
        sample = self.conditions.sample(prompt, media, fmt)
        segment = Segment(
            self.conditions.vae.encode(enlarged_CTHW[None])[0],
            Role.LOW_RESOLUTION,
            len(source_ids(prompt)) + 1,
        )
        _, _, height, width = enlarged_CTHW.shape
        large = replace(fmt, width=width, height=height)
        return replace(
            sample, segments=(*sample.segments, segment), target_shape=latent_shape(large)
        )


def upscale_config(data: dict[str, Any]) -> UpscaleConfig:
    """A configuration from its JSON form."""
    enlarger, fusion = data.get("enlarger"), data.get("fusion")
    return UpscaleConfig(
        factor=int(data["factor"]),
        window=WindowConfig(**data["window"]),
        enlarger=None if enlarger is None else EnlargerConfig(**enlarger),
        fusion=None if fusion is None else FusionConfig(**fusion),
    )
