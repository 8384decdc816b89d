"""Autoencoding: reconstruct clips through a narrow Gaussian latent.

Loss = Charbonnier(x^ - x) + edges + KL, where *edges* compares finite differences in space (at
several scales) and time: a plain pixel loss is content with blurred outlines, and outlines carry
the shape of small objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from omnireel.errors import InvalidInput
from omnireel.model.vae import Posterior, VideoVAE
from omnireel.train.callbacks import ValidationReport
from omnireel.train.comparison import Comparison
from omnireel.train.counted import PassCounter
from omnireel.train.objective import LossReport, Stateless
from omnireel.train.work import Work
from omnireel.types import Frames

_CHARBONNIER = 1e-3
_SHOWN = 2
"""Held-out clips of each format that validation shows."""


@dataclass(frozen=True)
class AutoencodingConfig:
    """Weights of the loss terms (the reconstruction term has weight 1)."""

    edge_weight: float = 0.5
    edge_scales: int = 3
    motion_weight: float = 0.25
    kl_weight: float = 1e-6
    latent_noise: float = 0.0
    """Latents are decoded with noise of up to this share of their spread, so that the decoder draws
    clean pictures from a generator's imperfect latents."""

    def __post_init__(self) -> None:
        for name in ("edge_weight", "motion_weight", "kl_weight", "latent_noise"):
            if not getattr(self, name) >= 0:
                raise InvalidInput(f"{name} must not be negative", field=f"objective.{name}")
        if self.edge_scales < 1:
            raise InvalidInput("edge_scales must be 1 or more", field="objective.edge_scales")


@dataclass(frozen=True, eq=False)
class HeldOutClips:
    """Validation clips of one format: ``frames_NTHWC`` and where bodies are, ``mask_NTHW``."""

    frames_NTHWC: Frames
    mask_NTHW: npt.NDArray[np.bool_]


class Autoencoding(Stateless):
    """Trains a :class:`VideoVAE` on batches ``frames_BTHWC`` (uint8)."""

    def __init__(
        self,
        vae: VideoVAE,
        config: AutoencodingConfig,
        held_out: tuple[HeldOutClips, ...],
        device: str = "cpu",
    ) -> None:
        self.vae = vae.to(device)
        self._config = config
        self._count = PassCounter(vae, _both_networks)
        self._held_out = held_out
        self._device = device

    def modules(self) -> Mapping[str, nn.Module]:
        """The autoencoder."""
        return {"vae": self.vae}

    def loss(self, batch: Frames, rng: torch.Generator) -> LossReport:
        """One batch of clips, or of images (T = 1)."""
        video = to_video(batch, self._device)
        posterior = self.vae.posterior(video)
        decoded = self.vae.reconstruct(self._disturbed(draw(posterior, rng), rng)).float()
        config = self._config
        error = charbonnier(decoded - video)
        edges = edge_error(decoded, video, config.edge_scales)
        kl = posterior.kl()
        total = error + config.edge_weight * edges + config.kl_weight * kl
        if video.shape[2] > 1:
            moving = charbonnier(decoded.diff(dim=2) - video.diff(dim=2))
            total = total + config.motion_weight * moving
        with torch.no_grad():
            mse = F.mse_loss(decoded.float().clamp(-1, 1), video)
        metrics = {
            "psnr": psnr(float(mse)),
            "edges": float(edges.detach()),
            "kl": float(kl.detach()),
        }
        return LossReport(total, metrics, len(batch), Work(flops=self._count(video)))

    def validate(self) -> ValidationReport:
        """PSNR in dB over all pixels, over bodies only, and of single images; some clips of each
        format beside their originals."""
        squares, body_squares, image_squares = [], [], []
        shown: list[Comparison] = []
        for clips in self._held_out:
            for i, (frames, mask) in enumerate(
                zip(clips.frames_NTHWC, clips.mask_NTHW, strict=True)
            ):
                video = to_video(frames[None], self._device)
                decoded = self._round_trip(video)
                square = (decoded - video).square().mean(1)[0].cpu().numpy()
                squares.append(float(square.mean()))
                if mask.any():
                    body_squares.append(float(square[mask].mean()))
                still = video[:, :, :1]
                image_squares.append(float(F.mse_loss(self._round_trip(still), still)))
                if i < _SHOWN:
                    made = (decoded[0].permute(1, 2, 3, 0) * 127.5 + 127.5).round()
                    caption = f"clip {i + 1}, {frames.shape[2]} x {frames.shape[1]}"
                    pair = {"truth": frames, "this run": made.byte().cpu().numpy()}
                    shown.append(Comparison(caption, pair))
        return ValidationReport(
            {
                "psnr": _mean_psnr(squares),
                "psnr_bodies": _mean_psnr(body_squares),
                "psnr_image": _mean_psnr(image_squares),
            },
            tuple(shown),
        )

    def _disturbed(self, raw_BCTHW: Tensor, rng: torch.Generator) -> Tensor:
        if self._config.latent_noise == 0:
            return raw_BCTHW
        share = self._config.latent_noise * torch.rand((len(raw_BCTHW), 1, 1, 1, 1), generator=rng)
        noise = torch.randn(raw_BCTHW.shape, generator=rng)
        spread = self.vae.latent_std[None, :, None, None, None]
        return raw_BCTHW + (share * noise).to(raw_BCTHW.device) * spread

    def _round_trip(self, video_BCTHW: Tensor) -> Tensor:
        posterior = self.vae.posterior(video_BCTHW)
        return self.vae.reconstruct(posterior.mean).float().clamp(-1, 1)


def _both_networks(vae: VideoVAE, video_BCTHW: Tensor) -> Tensor:
    posterior = vae.posterior(video_BCTHW)
    return vae.reconstruct(posterior.mean + posterior.logvar)


def to_video(frames_BTHWC: Frames, device: str = "cpu") -> Tensor:
    """uint8 frames to float ``video_BCTHW`` in -1..1."""
    # Views of memory-mapped files are read-only, which torch does not take: those are copied.
    x = torch.from_numpy(np.require(frames_BTHWC, requirements=["C", "W"])).to(device)
    return (x.permute(0, 4, 1, 2, 3).float() / 127.5 - 1.0).contiguous()


def draw(posterior: Posterior, rng: torch.Generator) -> Tensor:
    """A posterior sample whose noise comes from a CPU generator, on any device."""
    noise = torch.randn(posterior.mean.shape, generator=rng).to(posterior.mean.device)
    return posterior.mean + noise * torch.exp(0.5 * posterior.logvar)


def charbonnier(difference: Tensor) -> Tensor:
    """Mean of sqrt(d^2 + e^2) - e: an L1 norm that is smooth at zero."""
    return torch.sqrt(difference.square() + _CHARBONNIER**2).mean() - _CHARBONNIER


def edge_error(decoded_BCTHW: Tensor, video_BCTHW: Tensor, scales: int) -> Tensor:
    """Difference of horizontal and vertical finite differences, summed over halved scales."""
    difference = decoded_BCTHW - video_BCTHW
    b, c, t, h, w = difference.shape
    x = difference.transpose(1, 2).reshape(b * t, c, h, w)
    total = x.new_zeros(())
    for scale in range(scales):
        if scale:
            x = F.avg_pool2d(x, 2)
        total = total + charbonnier(x.diff(dim=2)) + charbonnier(x.diff(dim=3))
    return total / scales


def psnr(mse: float) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error on the -1..1 scale."""
    return float(10.0 * np.log10(4.0 / max(mse, 1e-10)))


def _mean_psnr(squares: list[float]) -> float:
    return float(np.mean([psnr(s) for s in squares])) if squares else float("nan")
