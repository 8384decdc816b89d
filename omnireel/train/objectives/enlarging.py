"""Enlarging: the large clip from the small one, in pixels.

Loss = mean over clips of ``ln(MSE + 0.001)`` of ``interpolated + detail`` against the large clip:
the peak signal-to-noise ratio, by which the super-resolver is measured, but for sign, scale and
floor (NAFNet, arXiv 2204.04676, trains on the ratio as well). In a plain mean of squares clips that
are hard throughout would drown what can be made of the others. The floor, at 36 dB, keeps crops of
plain ground from counting most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from omnireel.generate.enlarging import interpolated
from omnireel.train.callbacks import ValidationReport
from omnireel.train.counted import PassCounter
from omnireel.train.objective import LossReport, Stateless
from omnireel.train.objectives.autoencoding import psnr, to_video
from omnireel.train.objectives.pair_validation import validate_pairs
from omnireel.train.pair_batches import PairBatch
from omnireel.train.pair_cache import Pair
from omnireel.train.work import Work
from omnireel.upscale.enlarger import Enlarger

_FLOOR = 1e-3


def log_error(square_B: Tensor) -> Tensor:
    """The loss of clips with these mean squared errors."""
    return (square_B + _FLOOR).log().mean()


def chosen_report(shown_BCTHW: Tensor, made_BCTHW: Tensor, exact_BCTHW: Tensor) -> LossReport:
    """Of clips ``made`` as they are ``shown`` with chosen pixels; ``gain`` is what these win over
    the former, in dB."""
    square_B = (shown_BCTHW - exact_BCTHW).square().flatten(1).mean(1)
    with torch.no_grad():
        before_B = (made_BCTHW - exact_BCTHW).square().flatten(1).mean(1)
        gain_B = 10 * (before_B + 1e-6).log10() - 10 * (square_B + 1e-6).log10()
    metrics = {"psnr": psnr(float(square_B.detach().mean())), "gain": float(gain_B.mean())}
    return LossReport(log_error(square_B), metrics, len(exact_BCTHW))


def all_interpolated(small_BCTHW: Tensor, factor: int) -> Tensor:
    """Every clip enlarged with nothing learned."""
    return torch.stack([interpolated(clip, factor) for clip in small_BCTHW])


class Enlarging(Stateless):
    """Trains an :class:`Enlarger` on pairs of clips."""

    def __init__(self, enlarger: Enlarger, held_out: Sequence[Pair], device: str = "cpu") -> None:
        """``held_out`` are whole clips."""
        self.enlarger = enlarger.to(device)
        self._held_out = tuple(held_out)
        self._count = PassCounter(enlarger, lambda network, small: network(small))
        self._device = device

    def modules(self) -> Mapping[str, nn.Module]:
        """The enlarger."""
        return {"enlarger": self.enlarger}

    def loss(self, batch: PairBatch, rng: torch.Generator) -> LossReport:
        """One batch of crops; ``gain`` is what the detail wins over interpolation, in dB."""
        del rng
        small, large = (to_video(f, self._device) for f in (batch.small_BTHWC, batch.large_BTHWC))
        plain = self._plain(small)
        difference = plain + self.enlarger(small).float() - large
        square_B = difference.square().flatten(1).mean(1)
        with torch.no_grad():
            before = float((plain - large).square().mean())
        found = float(square_B.detach().mean())
        metrics = {"psnr": psnr(found), "gain": psnr(found) - psnr(before)}
        loss = log_error(square_B)
        return LossReport(loss, metrics, len(small), Work(flops=self._count(small)))

    def validate(self) -> ValidationReport:
        """Mean PSNR in dB of interpolation and of the result, and some clips of both."""
        return validate_pairs(self._held_out, self._made, before="interpolated")

    def _made(self, pair: Pair) -> tuple[Tensor, Tensor]:
        small = to_video(pair.small[None], self._device)
        plain = self._plain(small)
        return plain[0], (plain + self.enlarger(small).float()).clamp(-1, 1)[0]

    def _plain(self, small_BCTHW: Tensor) -> Tensor:
        return all_interpolated(small_BCTHW, self.enlarger.factor)
