"""Keeping: the exact clip from a decoded one and the media that it was made from.

The loss is that of :mod:`omnireel.train.objectives.enlarging`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from omnireel.generate.keep import kept
from omnireel.model.keeper import Keeper
from omnireel.train.callbacks import ValidationReport
from omnireel.train.objective import LossReport, Stateless
from omnireel.train.objectives.autoencoding import to_video
from omnireel.train.objectives.enlarging import chosen_report
from omnireel.train.objectives.pair_validation import validate_pairs
from omnireel.train.pair_batches import PairBatch
from omnireel.train.pair_cache import Pair
from omnireel.types import Frames


class Keeping(Stateless):
    """Trains a :class:`~omnireel.model.keeper.Keeper` on clips that an autoencoder decoded."""

    def __init__(self, keeper: Keeper, held_out: Sequence[Pair], device: str = "cpu") -> None:
        """``held_out`` are whole clips with their media."""
        self.keeper = keeper.to(device)
        self._held_out = tuple(held_out)
        self._device = device

    def modules(self) -> Mapping[str, nn.Module]:
        """The network."""
        return {"keeper": self.keeper}

    def loss(self, batch: PairBatch, rng: torch.Generator) -> LossReport:
        """One batch of crops."""
        del rng
        made_BCTHW, exact_BCTHW = (
            to_video(frames, self._device) for frames in (batch.small_BTHWC, batch.large_BTHWC)
        )
        clips = zip(made_BCTHW, batch.given, batch.looks, strict=True)
        shown_BCTHW = torch.stack([self._shown(*clip) for clip in clips])
        return chosen_report(shown_BCTHW, made_BCTHW, exact_BCTHW)

    def validate(self) -> ValidationReport:
        """Mean PSNR in dB of decoded clips and of results, and some clips of both."""
        return validate_pairs(self._held_out, self._both, before="decoded")

    def _both(self, pair: Pair) -> tuple[Tensor, Tensor]:
        made = to_video(pair.small[None], self._device)[0]
        return made, self._shown(made, pair.given, pair.looks)

    def _shown(self, made_CTHW: Tensor, given: Sequence[Frames], looks: Sequence[Frames]) -> Tensor:
        videos, worn = (
            [to_video(frames[None], self._device)[0] for frames in clips]
            for clips in (given, looks)
        )
        return kept(self.keeper, made_CTHW, videos, worn).float()
