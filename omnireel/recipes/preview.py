"""Clips that a half-trained model makes from held-out prompts, beside the true ones and others'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from omnireel.generate.components import (
    latent_space_sha256,
    load_transformer,
    sampling_defaults,
)
from omnireel.generate.conditions import source_ids
from omnireel.generate.frames import video_to_frames
from omnireel.generate.settings import SamplingDefaults
from omnireel.model.sequence import OmniSample, PackedSequence, pack
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer
from omnireel.model.vae import VideoVAE
from omnireel.registry import load_component
from omnireel.sampling import sample_latents
from omnireel.sampling.guidance import chain
from omnireel.train import ValidationReport
from omnireel.train.comparison import Comparison
from omnireel.train.latent_record import LatentRecord
from omnireel.types import Frames, Role
from omnireel.upscale.windows import WindowConfig, pack_windows

_GIVEN = {
    Role.SOURCE: "source",
    Role.MOTION: "motion",
    Role.CAMERA: "camera",
    Role.LOW_RESOLUTION: "base, enlarged",
}
"""Conditions that are clips, and what they are called."""


@dataclass(frozen=True)
class Rival:
    """A finished component that is shown beside the model in training, sampled as it is served."""

    name: str
    folder: Path


def started_from(folder: Path | None, kind: str, vae: Path) -> tuple[Rival, ...]:
    """The component that a run began with, where it can be shown: it is still there, is of the same
    ``kind``, and speaks the latents of the autoencoder in ``vae``."""
    if folder is None or not folder.is_dir():
        return ()
    component = load_component(folder)
    if component.kind != kind or component.config["latent_space"] != latent_space_sha256(vae):
        return ()
    return (Rival("started from", folder),)


class GeneratorPreview:
    """Samples each record with the serving sampler: what was given, the truth, this run, rivals.

    Prompts and noise are the same at every validation; rivals are sampled at the first one only.
    """

    def __init__(
        self,
        vae: VideoVAE,
        records: Sequence[LatentRecord],
        sampling: SamplingDefaults,
        device: str = "cpu",
        *,
        windows: WindowConfig | None = None,
        rivals: Sequence[Rival] = (),
        truth: str = "truth",
        fps: float = 8.0,
    ) -> None:
        """``windows`` are those of a super-resolver; None attends to whole samples. ``truth`` is
        what the records' targets are called."""
        self._windows = windows
        self._vae = vae
        self._records = tuple(records)
        self._sampling = sampling
        self._device = device
        self._rivals = tuple(rivals)
        self._truth, self._fps = truth, fps
        self._theirs: list[dict[str, Frames]] | None = None

    def __call__(self, model: OmniTransformer) -> ValidationReport:
        """Generate; the noise of record i is seeded with i."""
        if self._theirs is None:
            self._theirs = self._by_rivals()
        made = self._all(model, self._sampling)
        comparisons = []
        for seed, record in enumerate(self._records):
            given = {
                _GIVEN[s.role]: self._decode(s.latents_CTHW)
                for s in record.segments
                if s.role in _GIVEN
            }
            truth = {self._truth: self._decode(record.target_CTHW)}
            columns = {**given, **truth, "this run": made[seed], **self._theirs[seed]}
            caption = f"{record.capability}, noise {seed}: {record.prompt.text}"
            comparisons.append(Comparison(caption, columns, self._fps))
        return ValidationReport({}, tuple(comparisons))

    def _by_rivals(self) -> list[dict[str, Frames]]:
        """Clips by rival of every record."""
        found: list[dict[str, Frames]] = [{} for _ in self._records]
        for rival in self._rivals if self._records else ():
            kind = load_component(rival.folder).kind
            model, component = load_transformer(rival.folder, kind, self._device)
            for clips, frames in zip(
                found, self._all(model, sampling_defaults(component)), strict=True
            ):
                clips[rival.name] = frames
        return found

    def _all(self, model: OmniTransformer, sampling: SamplingDefaults) -> list[Frames]:
        tokenizer = Tokenizer(model.config.vocabulary, model.config.max_text_tokens)
        return [
            self._decode(self._generate(model, tokenizer, record, seed, sampling))
            for seed, record in enumerate(self._records)
        ]

    def _generate(
        self,
        model: OmniTransformer,
        tokenizer: Tokenizer,
        record: LatentRecord,
        seed: int,
        sampling: SamplingDefaults,
    ) -> torch.Tensor:
        _, t, h, w = record.target_CTHW.shape
        text = tokenizer.encode(record.prompt, source_ids(record.prompt))
        sample = OmniSample(text, record.segments, (t, h, w), model.config.patch)
        guided = chain(sample, tokenizer.empty(), sampling.guidance)
        noise = torch.randn(record.target_CTHW.shape, generator=torch.Generator().manual_seed(seed))

        def pack_here(samples: tuple[OmniSample, ...]) -> PackedSequence:
            if self._windows is not None:
                return pack_windows(samples, self._windows, self._device)
            return pack(samples, self._device)

        sigmas = sampling.sigmas(sampling.num_inference_steps, (t, h, w), model.config.patch)
        return sample_latents(model, guided, noise.to(self._device), sigmas, pack_here)

    def _decode(self, latents_CTHW: torch.Tensor) -> Frames:
        return video_to_frames(self._vae.decode(latents_CTHW[None].cpu())[0])
