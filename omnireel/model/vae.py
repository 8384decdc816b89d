"""Causal video autoencoder: 4x in time, 8x8 in space, one image is one latent frame.

The first frame is repeated so that latent frame 0 holds one image and latent frame i > 0 holds
frames 4i-3..4i; every temporal convolution looks backwards only, hence latent i never depends on
later frames.  Both halves are a learned residual on a linear shortcut that starts as a truncated
3-D discrete cosine transform (the residual autoencoding idea of DC-AE, arXiv 2410.10733, with a
cosine basis in place of channel averaging), so training begins from a working codec.

Shapes: ``video_BCTHW`` in -1..1 with T = 1 + 4k and H, W multiples of 8; ``latents_BCTHW`` with
T = 1 + k, H/8, W/8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from omnireel.model.convolution import (
    ChannelNorm,
    Pointwise,
    ResidualBlock,
    SpatialConv,
    fold,
    unfold,
)

TIME_STRIDE = 4
SPACE_STRIDE = 8
_STEM_STRIDE = 4


@dataclass(frozen=True)
class VAEConfig:
    """Widths of the autoencoder; ``latent_channels`` is what the generator sees."""

    latent_channels: int = 48
    stem_channels: int = 48
    encoder_channels: int = 128
    decoder_channels: int = 192
    pixel_channels: int = 48
    encoder_blocks: int = 2
    decoder_blocks: int = 3
    pixel_blocks: int = 2

    def __post_init__(self) -> None:
        if self.latent_channels < 3:
            raise ValueError("latent_channels must be at least 3 (one per colour channel)")


@dataclass(frozen=True)
class Posterior:
    """Diagonal Gaussian over latents; both tensors are ``BCTHW``."""

    mean: Tensor
    logvar: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw one latent."""
        noise = torch.randn(
            self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype
        )
        return self.mean + noise * torch.exp(0.5 * self.logvar)

    def kl(self) -> Tensor:
        """Mean KL divergence to the unit Gaussian, per latent number."""
        return 0.5 * (self.mean.square() + self.logvar.exp() - 1.0 - self.logvar).mean()


def cosine_basis(latent_channels: int) -> Tensor:
    """The ``latent_channels`` smoothest orthonormal 3-D cosine functions of a pixel block.

    Returns ``[latent_channels, 3 * 4 * 8 * 8]``; brightness gets about 70 % of the functions, the
    two opponent-colour axes 20 and 10 %, each ordered by frequency. On clips of the procedural
    world 48 of them keep within 0.5 dB of what principal components of the same number keep.
    """
    colors = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [0.5, -1.0, 0.5]])
    colors = colors / colors.norm(dim=1, keepdim=True)
    red_blue, green = max(1, round(latent_channels / 5)), max(1, round(latent_channels / 10))
    counts = (latent_channels - red_blue - green, red_blue, green)

    def wave(k: int, n: int) -> Tensor:
        x = torch.cos(math.pi * k * (torch.arange(n) + 0.5) / n)
        return F.normalize(x, dim=0)

    orders = sorted(
        ((t, h, w) for t in range(4) for h in range(8) for w in range(8)),
        key=lambda o: (o[0] ** 2 + o[1] ** 2 + o[2] ** 2, o),
    )
    rows = []
    for color, count in zip(colors, counts, strict=True):
        for t, h, w in orders[:count]:
            block = torch.einsum("c,t,h,w->cthw", color, wave(t, 4), wave(h, 8), wave(w, 8))
            rows.append(block.reshape(-1))
    return torch.stack(rows)


class Encoder(nn.Module):
    """Pixels to posterior parameters."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        c = config
        self.stem = SpatialConv(3 * _STEM_STRIDE**2, c.stem_channels)
        self.stem_block = ResidualBlock(c.stem_channels)
        self.down = Pointwise(c.stem_channels * TIME_STRIDE * 4, c.encoder_channels)
        self.blocks = nn.Sequential(
            *(ResidualBlock(c.encoder_channels) for _ in range(c.encoder_blocks))
        )
        self.norm = ChannelNorm(c.encoder_channels)
        self.out = Pointwise(c.encoder_channels, 2 * c.latent_channels)
        nn.init.zeros_(self.out.conv.weight)
        self.shortcut = Pointwise(3 * TIME_STRIDE * SPACE_STRIDE**2, c.latent_channels)

    def forward(self, video_BCTHW: Tensor) -> Posterior:
        """Expects the first frame repeated: T is a multiple of 4 here."""
        x = self.stem_block(self.stem(fold(video_BCTHW, 1, _STEM_STRIDE)))
        x = self.blocks(self.down(fold(x, TIME_STRIDE, SPACE_STRIDE // _STEM_STRIDE)))
        mean, logvar = self.out(F.silu(self.norm(x))).chunk(2, dim=1)
        mean = mean + self.shortcut(fold(video_BCTHW, TIME_STRIDE, SPACE_STRIDE))
        return Posterior(mean, logvar.clamp(-12.0, 4.0))


class Decoder(nn.Module):
    """Latents to pixels; most of the work happens at 1/8 and 1/4 of the resolution."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        c = config
        self.lift = SpatialConv(c.latent_channels, c.decoder_channels)
        self.blocks = nn.Sequential(
            *(ResidualBlock(c.decoder_channels) for _ in range(c.decoder_blocks))
        )
        self.up = Pointwise(c.decoder_channels, c.pixel_channels * TIME_STRIDE * 4)
        self.pixel_blocks = nn.Sequential(
            *(ResidualBlock(c.pixel_channels) for _ in range(c.pixel_blocks))
        )
        self.norm = ChannelNorm(c.pixel_channels)
        self.out = SpatialConv(c.pixel_channels, 3 * _STEM_STRIDE**2)
        self.shortcut = Pointwise(c.latent_channels, 3 * TIME_STRIDE * SPACE_STRIDE**2)
        nn.init.zeros_(self.out.conv.weight)

    def forward(self, latents_BCTHW: Tensor) -> Tensor:
        """Four frames for every latent frame, the first included."""
        x = self.up(self.blocks(self.lift(latents_BCTHW)))
        x = self.pixel_blocks(unfold(x, TIME_STRIDE, SPACE_STRIDE // _STEM_STRIDE))
        detail = unfold(self.out(F.silu(self.norm(x))), 1, _STEM_STRIDE)
        return detail + unfold(self.shortcut(latents_BCTHW), TIME_STRIDE, SPACE_STRIDE)


class VideoVAE(nn.Module):
    """The autoencoder; :meth:`encode` and :meth:`decode` work on normalised latents."""

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        basis = cosine_basis(config.latent_channels)
        scale = math.sqrt(basis.shape[1] / 3) / 4  # latents start with a spread of about one
        with torch.no_grad():
            self.encoder.shortcut.conv.weight.copy_(basis[:, :, None, None] / scale)
            self.decoder.shortcut.conv.weight.copy_(basis.T[:, :, None, None] * scale)
            for part in (self.encoder.shortcut, self.decoder.shortcut, self.decoder.out):
                assert part.conv.bias is not None
                part.conv.bias.zero_()
            assert self.encoder.out.conv.bias is not None
            self.encoder.out.conv.bias.zero_()
            self.encoder.out.conv.bias[config.latent_channels :] = -6.0
        self.register_buffer("latent_mean", torch.zeros(config.latent_channels))
        self.register_buffer("latent_std", torch.ones(config.latent_channels))

    def posterior(self, video_BCTHW: Tensor) -> Posterior:
        """The unnormalised posterior of a video (what the training objective needs).

        Raises:
            ValueError: when T is not 1 + 4k or H, W are not multiples of 8.
        """
        _, _, t, h, w = video_BCTHW.shape
        if (t - 1) % TIME_STRIDE or h % SPACE_STRIDE or w % SPACE_STRIDE:
            raise ValueError(f"need T = 1 + 4k and H, W multiples of 8, got T={t}, H={h}, W={w}")
        head = video_BCTHW[:, :, :1].expand(-1, -1, TIME_STRIDE - 1, -1, -1)
        posterior: Posterior = self.encoder(torch.cat([head, video_BCTHW], dim=2))
        return posterior

    def reconstruct(self, raw_BCTHW: Tensor) -> Tensor:
        """Decode unnormalised latents to ``video_BCTHW``."""
        video = self.decoder(raw_BCTHW)
        # The first latent frame stands for one image shown four times: their mean is that image.
        first = video[:, :, :TIME_STRIDE].mean(2, keepdim=True)
        return torch.cat([first, video[:, :, TIME_STRIDE:]], dim=2)

    @torch.no_grad()
    def encode(self, video_BCTHW: Tensor) -> Tensor:
        """Posterior mean, normalised to zero mean and unit spread per channel."""
        mean = self.posterior(video_BCTHW).mean
        return (mean - self._per_channel(self.latent_mean)) / self._per_channel(self.latent_std)

    @torch.no_grad()
    def decode(self, latents_BCTHW: Tensor) -> Tensor:
        """Normalised latents to ``video_BCTHW`` in -1..1 (clamped)."""
        raw = latents_BCTHW * self._per_channel(self.latent_std)
        return self.reconstruct(raw + self._per_channel(self.latent_mean)).clamp(-1.0, 1.0)

    @torch.no_grad()
    def preview(self, latents_BCTHW: Tensor) -> Tensor:
        """A coarse ``video_BCTHW`` from the linear shortcut alone, at almost no cost."""
        raw = latents_BCTHW * self._per_channel(self.latent_std)
        raw = raw + self._per_channel(self.latent_mean)
        video = unfold(self.decoder.shortcut(raw), TIME_STRIDE, SPACE_STRIDE)
        return video[:, :, TIME_STRIDE - 1 :].clamp(-1.0, 1.0)

    def set_statistics(self, mean_C: Tensor, std_C: Tensor) -> None:
        """Fix the per-channel mean and spread that :meth:`encode` divides out."""
        self.latent_mean.copy_(mean_C)
        self.latent_std.copy_(std_C)

    @staticmethod
    def _per_channel(x_C: Tensor) -> Tensor:
        return x_C[None, :, None, None, None]
