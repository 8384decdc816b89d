"""Clips that a half-trained model makes from held-out prompts, beside the true ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from omnireel.generate.conditions import source_ids
from omnireel.generate.frames import video_to_frames
from omnireel.generate.settings import SamplingDefaults
from omnireel.model.sequence import OmniSample, PackedSequence, pack
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer
from omnireel.model.vae import VideoVAE
from omnireel.sampling import sample_latents, shifted_sigmas
from omnireel.sampling.guidance import chain
from omnireel.train import ValidationReport
from omnireel.train.latent_record import LatentRecord
from omnireel.types import Frames
from omnireel.upscale.windows import WindowConfig, pack_windows


class GeneratorPreview:
    """Samples each record with the serving sampler and shows true | made, one clip a record."""

    def __init__(
        self,
        vae: VideoVAE,
        records: Sequence[LatentRecord],
        sampling: SamplingDefaults,
        device: str = "cpu",
        *,
        windows: WindowConfig | None = None,
    ) -> None:
        """``windows`` are those of a super-resolver; None attends to whole samples."""
        self._windows = windows
        self._vae = vae
        self._records = tuple(records)
        self._sampling = sampling
        self._device = device

    def __call__(self, model: OmniTransformer) -> ValidationReport:
        """Generate; the noise of record i is seeded with i."""
        tokenizer = Tokenizer(model.config.vocabulary, model.config.max_text_tokens)
        media: dict[str, Frames] = {}
        for number, record in enumerate(self._records):
            made = self._generate(model, tokenizer, record, number)
            pair = [self._decode(record.target_CTHW), self._decode(made)]
            media[f"{number:02d}_{record.capability}"] = np.concatenate(pair, axis=2)
        return ValidationReport({}, media)

    def _generate(
        self, model: OmniTransformer, tokenizer: Tokenizer, record: LatentRecord, seed: int
    ) -> torch.Tensor:
        _, t, h, w = record.target_CTHW.shape
        text = tokenizer.encode(record.prompt, source_ids(record.prompt))
        sample = OmniSample(text, record.segments, (t, h, w))
        guided = chain(sample, tokenizer.empty(), self._sampling.guidance)
        noise = torch.randn(record.target_CTHW.shape, generator=torch.Generator().manual_seed(seed))

        def pack_here(samples: tuple[OmniSample, ...]) -> PackedSequence:
            if self._windows is not None:
                return pack_windows(samples, self._windows, self._device)
            return pack(samples, self._device)

        s = self._sampling
        sigmas = shifted_sigmas(s.num_inference_steps, s.shift, last=s.last)
        return sample_latents(model, guided, noise.to(self._device), sigmas, pack_here)

    def _decode(self, latents_CTHW: torch.Tensor) -> Frames:
        return video_to_frames(self._vae.decode(latents_CTHW[None].cpu())[0])
