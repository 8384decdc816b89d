"""Clips that a half-trained model makes from held-out prompts, beside the true ones and others'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from omnireel.generate.components import (
    latent_space_sha256,
    load_transformer,
    sampling_defaults,
)
from omnireel.generate.frames import video_to_frames
from omnireel.generate.latent_sampler import LatentSampler
from omnireel.generate.pipeline import seeded_noise
from omnireel.generate.settings import SamplingDefaults
from omnireel.model.sequence import pack
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer
from omnireel.model.vae import VideoVAE
from omnireel.registry import load_component
from omnireel.train import ValidationReport
from omnireel.train.comparison import Comparison
from omnireel.train.latent_record import LatentRecord
from omnireel.train.objectives.packed import omni_sample
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
        layout = pack if self._windows is None else partial(pack_windows, config=self._windows)
        sampled = LatentSampler(
            model, sampling, tokenizer.empty(), partial(layout, device=self._device)
        )
        found = []
        for seed, record in enumerate(self._records):
            patch = model.config.patch
            sample = omni_sample(
                tokenizer, record.prompt, record.segments, record.target_CTHW, patch
            )
            channels, device = record.target_CTHW.shape[0], torch.device(self._device)
            noise = seeded_noise(seed, channels, sample.target_shape, device)
            latents, _ = sampled(sample, noise, sampling.num_inference_steps, sampling.guidance)
            found.append(self._decode(latents))
        return found

    def _decode(self, latents_CTHW: torch.Tensor) -> Frames:
        return video_to_frames(self._vae.decode(latents_CTHW[None].cpu())[0])
