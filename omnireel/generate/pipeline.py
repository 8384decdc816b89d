"""The generator as one call: prompt, media and settings in, a clip out.

1. Conditions are encoded (:mod:`omnireel.generate.conditions`).
2. The guidance chain is laid out and its conditions' keys and values computed once.
3. The sampler integrates from seeded noise; progress after each step, cancel before each.
4. The latents are decoded to frames; what they show of the media has its own pixels
   (:mod:`omnireel.generate.keep`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from omnireel.generate import components
from omnireel.generate.adapters import base_of, join_adapter
from omnireel.generate.conditions import ConditionEncoder, latent_shape
from omnireel.generate.frames import video_to_frames
from omnireel.generate.latent_sampler import LatentSampler, with_previews
from omnireel.generate.settings import (
    GenerationSettings,
    ModelLimits,
    PipelineStep,
    SamplingDefaults,
)
from omnireel.model.sequence import grid_tokens, pack
from omnireel.model.transformer import OmniTransformer
from omnireel.mvl.prompt import Prompt
from omnireel.sampling import sampler
from omnireel.sampling.sharing import SharedDenoiser
from omnireel.types import Clip, MediaSet, VideoFormat


@dataclass(frozen=True, eq=False)
class Generated:
    """A result: normalised latents ``CTHW``, the decoded clip, network evaluations spent."""

    latents_CTHW: Tensor
    clip: Clip
    num_function_evaluations: int


class GeneratorPipeline:
    """A loaded generator with its autoencoder and tokenizer.

    Threads may call :meth:`generate` at once; how far their steps run together is the business of
    ``denoiser``.
    """

    def __init__(
        self,
        model: OmniTransformer,
        conditions: ConditionEncoder,
        defaults: SamplingDefaults,
        limits: ModelLimits,
        version: str = "unsaved",
    ) -> None:
        self.model = model
        self.denoiser = SharedDenoiser(model)
        self.conditions = conditions
        self.defaults = defaults
        self.limits = limits
        self.version = version

    @classmethod
    def load(
        cls, folder: Path, device: str = "cpu", adapter: Path | None = None
    ) -> GeneratorPipeline:
        """Load ``folder/generator`` and ``folder/vae``; hashes are checked.

        ``adapter`` is the component folder of an adapter, which is folded into the weights of the
        generator that it was trained on (:func:`omnireel.generate.adapters.base_of`).

        Raises:
            NotFound, IntegrityError: weights are missing, tampered with or do not belong together.
        """
        return cls.open(base_of(adapter, folder), folder / "vae", device, adapter)

    @classmethod
    def open(
        cls, generator: Path, vae: Path, device: str = "cpu", adapter: Path | None = None
    ) -> GeneratorPipeline:
        """Load component folders; raises what :meth:`load` raises."""
        model, component = components.load_transformer(generator, "generator", device)
        components.check_latent_space(component, vae)
        version = components.weights_sha256(component)
        if adapter is not None:
            joined = join_adapter(model, component, adapter)
            version = f"{version}+{components.weights_sha256(joined)}"
        limits = components.model_limits(component)
        encoder = ConditionEncoder(
            vae=components.load_vae(vae, device),
            tokenizer=components.tokenizer_of(model.config),
            short_side=limits.short_side,
            patch=model.config.patch,
            keeper=components.load_keeper(vae, device),
        )
        return cls(model, encoder, components.sampling_defaults(component), limits, version)

    def together(self, fmt: VideoFormat) -> int:
        """How many clips of this format fit into one call of the model; at least one.

        Counted without media; with these a clip needs more, and fewer run at once.
        """
        tokens = grid_tokens(latent_shape(fmt), self.model.config.patch)
        if not self.limits.guidance_baked_in:
            tokens *= 2
        return max(1, self.denoiser.max_tokens // tokens)

    def generate(
        self,
        prompt: Prompt,
        media: MediaSet,
        settings: GenerationSettings,
        *,
        start: sampler.SamplerState | None = None,
        on_step: Callable[[PipelineStep], None] = lambda event: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Generated:
        """Make one clip.

        ``start`` goes on from a former call's step, see
        :func:`omnireel.sampling.sample_latents`.

        Raises:
            InvalidInput: settings outside the model's limits, media missing.
            Cancelled: ``cancelled()`` became true; at most one denoising step later.
        """
        latents, evaluations = self.sample(
            prompt, media, settings, start=start, on_step=on_step, cancelled=cancelled
        )
        fmt = settings.format
        frames = video_to_frames(self.conditions.decode(latents, prompt, media, fmt))
        return Generated(latents, Clip(frames, fps=fmt.fps), evaluations)

    def sample(
        self,
        prompt: Prompt,
        media: MediaSet,
        settings: GenerationSettings,
        *,
        start: sampler.SamplerState | None = None,
        on_step: Callable[[PipelineStep], None] = lambda event: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> tuple[Tensor, int]:
        """The latents of :meth:`generate` and its network evaluations; raises what it raises."""
        self.limits.check(settings)
        sample = self.conditions.sample(prompt, media, settings.format)
        vae = self.conditions.vae
        device = vae.latent_mean.device
        sampled = LatentSampler(
            self.denoiser,
            self.defaults,
            self.conditions.tokenizer.empty(),
            partial(pack, device=device),
        )
        channels = self.model.config.latent_channels
        with self.denoiser.loop():
            return sampled(
                sample,
                seeded_noise(settings.seed, channels, sample.target_shape, device),
                settings.num_inference_steps,
                settings.guidance,
                start=start,
                on_step=with_previews(vae, on_step),
                cancelled=cancelled,
            )


def seeded_noise(
    seed: int, channels: int, shape: tuple[int, int, int], device: torch.device
) -> Tensor:
    """Noise ``CTHW`` that depends on the seed alone, not on the device."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((channels, *shape), generator=generator).to(device)
