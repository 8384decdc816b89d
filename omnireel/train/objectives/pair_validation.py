"""Held-out pairs of clips, before and after what is trained: mean PSNR of both, and some shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from omnireel.generate.frames import video_to_frames
from omnireel.train.callbacks import ValidationReport
from omnireel.train.comparison import Comparison
from omnireel.train.objectives.autoencoding import psnr, to_video
from omnireel.train.pair_cache import Pair

_SHOWN = 4
"""Held-out pairs that a report shows."""


def validate_pairs(
    held_out: Sequence[Pair],
    made: Callable[[Pair], tuple[Tensor, Tensor]],
    *,
    before: str,
) -> ValidationReport:
    """``made(pair)``: large clips ``[3, T, H, W]`` without and with what is trained; the former is
    called ``before``. Scores are means in dB."""
    dB: list[tuple[float, float]] = []
    shown: list[Comparison] = []
    for pair in held_out:
        without_CTHW, with_CTHW = made(pair)
        large_CTHW = to_video(pair.large[None])[0].to(without_CTHW)
        errors = [float((v - large_CTHW).square().mean()) for v in (without_CTHW, with_CTHW)]
        dB.append((psnr(errors[0]), psnr(errors[1])))
        if len(shown) < _SHOWN:
            columns = {
                before: video_to_frames(without_CTHW),
                "truth": pair.large,
                "this run": video_to_frames(with_CTHW),
            }
            shown.append(Comparison(f"clip {len(shown) + 1}", columns))
    was, found = (float(v) for v in np.mean(dB, axis=0))
    scores = {"psnr": found, f"psnr_{before}": was, "gain": found - was}
    return ValidationReport(scores, tuple(shown))
