"""Choosing pixels: the large clip from an enlarged one and the media that it was made from.

The loss is that of :mod:`omnireel.train.objectives.enlarging`. The enlarger stays as it is, so that
the network is trained on exactly the clips that it will be given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from omnireel.train.callbacks import ValidationReport
from omnireel.train.objective import LossReport, Stateless
from omnireel.train.objectives.autoencoding import to_video
from omnireel.train.objectives.enlarging import all_interpolated, chosen_report
from omnireel.train.objectives.pair_validation import validate_pairs
from omnireel.train.pair_batches import PairBatch
from omnireel.train.pair_cache import Pair
from omnireel.types import Frames
from omnireel.upscale.enlarger import Enlarger
from omnireel.upscale.fusion import ReferenceFusion, fused


class Fusing(Stateless):
    """Trains a :class:`ReferenceFusion` behind a finished enlarger."""

    def __init__(
        self,
        fusion: ReferenceFusion,
        enlarger: Enlarger,
        held_out: Sequence[Pair],
        device: str = "cpu",
    ) -> None:
        """``held_out`` are whole clips with their media."""
        self.fusion = fusion.to(device)
        self._enlarger = enlarger.to(device).eval().requires_grad_(False)
        self._held_out = tuple(held_out)
        self._device = device

    def modules(self) -> Mapping[str, nn.Module]:
        """The fusion alone."""
        return {"fusion": self.fusion}

    def loss(self, batch: PairBatch, rng: torch.Generator) -> LossReport:
        """One batch of crops."""
        del rng
        large_BCTHW = to_video(batch.large_BTHWC, self._device)
        made_BCTHW, features_BCTHW = self._enlarged(to_video(batch.small_BTHWC, self._device))
        shown_BCTHW = torch.stack(
            [
                self._shown(*clip)
                for clip in zip(made_BCTHW, features_BCTHW, batch.given, strict=True)
            ]
        )
        return chosen_report(shown_BCTHW, made_BCTHW, large_BCTHW)

    def validate(self) -> ValidationReport:
        """Mean PSNR in dB of enlarged clips and of results, and some clips of both."""
        return validate_pairs(self._held_out, self._both, before="enlarged")

    def _both(self, pair: Pair) -> tuple[Tensor, Tensor]:
        made, features = self._enlarged(to_video(pair.small[None], self._device))
        return made[0], self._shown(made[0], features[0], pair.given)

    @torch.no_grad()
    def _enlarged(self, small_BCTHW: Tensor) -> tuple[Tensor, Tensor]:
        """The clips as the pipeline makes them large, and the enlarger's features."""
        features_BCTHW = self._enlarger.features(small_BCTHW)
        plain_BCTHW = all_interpolated(small_BCTHW, self._enlarger.factor)
        made_BCTHW = plain_BCTHW + self._enlarger.detail(features_BCTHW).float()
        return made_BCTHW.clamp(-1, 1), features_BCTHW

    def _shown(self, made_CTHW: Tensor, features_CTHW: Tensor, given: Sequence[Frames]) -> Tensor:
        videos = [to_video(frames[None], self._device)[0] for frames in given]
        return fused(self.fusion, self._enlarger, made_CTHW, features_CTHW, videos).float()
