"""What makes the clips that are judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from omnireel.evaluate.cases import Case
from omnireel.generate import GenerationSettings, GeneratorPipeline
from omnireel.generate.frames import frames_to_video, video_to_frames
from omnireel.mvl.prompt import Prompt
from omnireel.types import Clip


class Maker(Protocol):
    """A system under evaluation."""

    def make(self, case: Case, prompt: Prompt, on_step: Callable[[int, int], None]) -> Clip:
        """Answer ``case`` as worded in ``prompt``; ``on_step`` hears (step, of how many)."""
        ...

    def ceiling(self, clip: Clip) -> Clip:
        """The exact answer, as well as the system could possibly show it."""
        ...


@dataclass(frozen=True, eq=False)
class PipelineMaker:
    """A generator at its own resolution; every case has its own, fixed noise."""

    pipeline: GeneratorPipeline
    num_inference_steps: int

    def make(self, case: Case, prompt: Prompt, on_step: Callable[[int, int], None]) -> Clip:
        """Generate one clip."""
        settings = GenerationSettings(
            format=case.sample.target.format,
            seed=case.sample.seed,
            num_inference_steps=self.num_inference_steps,
            guidance=self.pipeline.defaults.guidance,
        )
        return self.pipeline.generate(
            prompt,
            case.sample.media,
            settings,
            on_step=lambda event: on_step(event.step, event.num_steps),
        ).clip

    def ceiling(self, clip: Clip) -> Clip:
        """The clip through the autoencoder and back."""
        return through_vae(clip, self.pipeline.conditions.vae)


class Autoencoder(Protocol):
    """What is needed of a video autoencoder: ``BCTHW`` in -1..1 to latents and back."""

    latent_mean: Tensor

    def encode(self, video_BCTHW: Tensor) -> Tensor:
        """Latents of a video."""
        ...

    def decode(self, latents_BCTHW: Tensor) -> Tensor:
        """The video of latents."""
        ...


@torch.inference_mode()
def through_vae(clip: Clip, vae: Autoencoder) -> Clip:
    """What is left of a clip after encoding and decoding."""
    video = frames_to_video(clip.frames_THWC)[None].to(vae.latent_mean.device)
    return Clip(video_to_frames(vae.decode(vae.encode(video))[0]), fps=clip.fps)
