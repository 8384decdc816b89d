"""What a caller may choose for one generation, and what a model allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from omnireel.errors import FieldViolation, InvalidInput
from omnireel.sampling import shifted_sigmas
from omnireel.sampling.guidance import Guidance
from omnireel.sampling.length_shift import CONSTANT, LengthShift
from omnireel.sampling.sampler import SamplerState
from omnireel.types import Frames, VideoFormat


@dataclass(frozen=True)
class SamplingDefaults:
    """How a model samples when the caller does not say; part of its configuration."""

    num_inference_steps: int = 20
    shift: float = 3.0
    last: float = 0.0
    """Noise level of the last evaluation, see :func:`omnireel.sampling.shifted_sigmas`."""
    guidance: Guidance = field(default_factory=Guidance)
    shift_by: LengthShift = CONSTANT
    """How the shift grows with the length of a sample."""

    def sigmas(self, num_steps: int, latent_shape: tuple[int, int, int], patch: int) -> Tensor:
        """Noise levels of so many steps, see :func:`omnireel.sampling.shifted_sigmas`.

        ``latent_shape`` is the target's latent (T, H, W), ``patch`` that of the network's tokens.
        """
        shift = self.shift_by.of(self.shift, latent_shape, patch)
        return shifted_sigmas(num_steps, shift, last=self.last)


@dataclass(frozen=True)
class ModelLimits:
    """Sizes and lengths that a model was made for. Sides in pixels, fps in frames per second."""

    short_side: int = 64
    sizes: tuple[tuple[int, int], ...] = ((64, 64), (112, 64), (64, 112))
    """Allowed (width, height)."""
    min_frames: int = 1
    max_frames: int = 17
    fps: float = 8.0
    max_inference_steps: int = 200
    capabilities: tuple[str, ...] = ()
    """Ids of the capability table that the model was trained for."""
    guidance_baked_in: bool = False
    """A distilled student has its teacher's guidance in its weights; another scale than 1 would
    guide twice, and is refused."""

    def check(self, settings: GenerationSettings) -> None:
        """Raise :class:`InvalidInput` naming every field that this model cannot serve."""
        f = settings.format
        wrong: list[FieldViolation] = []
        if (f.width, f.height) not in self.sizes:
            allowed = ", ".join(f"{w}x{h}" for w, h in self.sizes)
            wrong.append(
                FieldViolation("format.size", f"{f.width}x{f.height} is not one of {allowed}")
            )
        if (f.num_frames - 1) % 4 or not self.min_frames <= f.num_frames <= self.max_frames:
            choices = [n for n in range(1, self.max_frames + 1, 4) if n >= self.min_frames]
            wrong.append(
                FieldViolation("format.num_frames", f"{f.num_frames} is not one of {choices}")
            )
        if f.fps != self.fps:
            wrong.append(FieldViolation("format.fps", f"{f.fps:g} is not {self.fps:g}"))
        if not 1 <= settings.num_inference_steps <= self.max_inference_steps:
            wrong.append(
                FieldViolation(
                    "num_inference_steps",
                    f"{settings.num_inference_steps} is not in 1..{self.max_inference_steps}",
                )
            )
        wrong += self._guidance_violations(settings.guidance)
        if wrong:
            text = "; ".join(f"{v.field}: {v.description}" for v in wrong)
            raise InvalidInput(f"this model cannot serve the request: {text}", violations=(*wrong,))

    def _guidance_violations(self, guidance: Guidance) -> list[FieldViolation]:
        if not self.guidance_baked_in:
            return []
        scales = {"text": guidance.text, "image": guidance.image, "video": guidance.video}
        return [
            FieldViolation(
                f"guidance.{name}",
                f"{scale:g} is not 1; guidance is baked into the weights of this distilled model",
            )
            for name, scale in scales.items()
            if scale != 1.0
        ]


@dataclass(frozen=True)
class GenerationSettings:
    """One generation's choices. The same seed and settings give the same frames."""

    format: VideoFormat
    seed: int = 0
    num_inference_steps: int = 20
    guidance: Guidance = field(default_factory=Guidance)


@dataclass(frozen=True, eq=False)
class PipelineStep:
    """``step`` of ``num_steps`` denoising steps are done; ``preview()`` draws the current estimate
    (coarse frames ``THWC``; nothing is computed before), and ``x_CTHW`` are the noisy latents, to
    go on from."""

    step: int
    num_steps: int
    preview: Callable[[], Frames]
    x_CTHW: Tensor | None = None

    def latents(self) -> npt.NDArray[np.float32]:
        """The noisy latents, brought from the device."""
        assert self.x_CTHW is not None
        return self.x_CTHW.float().cpu().numpy()


def go_on_from(step: int, latents_CTHW: npt.NDArray[np.float32]) -> SamplerState:
    """The state after ``step`` steps, from what :meth:`PipelineStep.latents` gave then."""
    return SamplerState(step, torch.from_numpy(latents_CTHW.copy()))
