"""From a model's sample and noise to latents: the one way in which everything is sampled.

The generator, the super-resolver and the clips that are shown in training call it, so what
training shows is what will be served.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from omnireel.generate.frames import video_to_frames
from omnireel.generate.settings import PipelineStep, SamplingDefaults
from omnireel.model.sequence import OmniSample
from omnireel.model.text import TextTokens
from omnireel.model.vae import VideoVAE
from omnireel.sampling import sampler
from omnireel.sampling.guidance import Guidance, chain
from omnireel.types import Frames


def _ignore(event: sampler.SamplerStep) -> None:
    return None


@dataclass(frozen=True, eq=False)
class LatentSampler:
    """A model with what is the same for all of its samples."""

    model: sampler.Denoiser
    defaults: SamplingDefaults
    """For the noise levels."""
    unconditional: TextTokens
    """The empty prompt, for guidance."""
    pack: sampler.PackFn
    """Lays the variants of a guidance chain out on the device."""

    def __call__(
        self,
        sample: OmniSample,
        noise_CTHW: Tensor,
        num_steps: int,
        guidance: Guidance,
        *,
        start: sampler.SamplerState | None = None,
        on_step: Callable[[sampler.SamplerStep], None] = _ignore,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> tuple[Tensor, int]:
        """Latents ``CTHW`` and the network evaluations that they took.

        Raises:
            InvalidInput: ``start`` is not a state of this loop.
            Cancelled: ``cancelled()`` became true; at most one denoising step later.
        """
        guided = chain(sample, self.unconditional, guidance)
        latents = sampler.sample_latents(
            self.model,
            guided,
            noise_CTHW,
            self.defaults.sigmas(num_steps, sample.target_shape, sample.patch),
            self.pack,
            start=start,
            on_step=on_step,
            cancelled=cancelled,
        )
        return latents, num_steps * len(guided.variants)


def with_previews(
    vae: VideoVAE, on_step: Callable[[PipelineStep], None]
) -> Callable[[sampler.SamplerStep], None]:
    """Tell ``on_step`` each step of the sampler, with coarse frames if it asks for them."""

    def forward(event: sampler.SamplerStep) -> None:
        def preview() -> Frames:
            return video_to_frames(vae.preview(event.x0_CTHW[None])[0])

        on_step(PipelineStep(event.step, event.num_steps, preview, event.x_CTHW))

    return forward
