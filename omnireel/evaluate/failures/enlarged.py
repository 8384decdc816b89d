"""Clips that a super-resolver makes worse than plain enlargement does, or hardly better."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from omnireel.evaluate.cases import CaseConfig
from omnireel.evaluate.failures.report import Failures, side_by_side
from omnireel.evaluate.upscaling import UpscaledCase, evaluate_upscaler
from omnireel.generate import UpscalePipeline
from omnireel.media.sheet import Row
from omnireel.types import Frames
from omnireel.world.truth import render_truth

_LEAST_SIDE = 48
"""Pixels of the large picture that are shown around the bodies, at least."""


def worst_enlarged(upscaler: Path, vae: Path, count: int, config: CaseConfig) -> Failures:
    """The ``count`` worn clips of text-to-video cases on whose bodies super-resolution gains
    least."""
    pipeline = UpscalePipeline.open(upscaler, vae)
    found = [
        r
        for r in evaluate_upscaler(pipeline, config)
        if r.base == "worn" and "result_bodies" in r.psnr_dB
    ]
    found.sort(key=_gain)
    return Failures(
        f"The worst of {config.cases_per_capability} clips that were worn as a generator's are, by "
        "the gain over plain enlargement on the bodies. In each row, cut out around the bodies in "
        "the middle frame: the small clip, its plain enlargement, the result, the exact rendering.",
        [_row(r) for r in found[:count]],
    )


def _gain(r: UpscaledCase) -> float:
    return r.psnr_dB["result_bodies"] - r.psnr_dB["enlarged_bodies"]


def _row(r: UpscaledCase) -> Row:
    middle = len(r.target) // 2
    masks = render_truth(r.case.sample.scene, r.target_format).masks
    top, left, side = _around(np.any([m[middle] for m in masks.values()], axis=0))
    large = [
        frames[middle, top : top + side, left : left + side]
        for frames in (r.enlarged, r.result, r.target)
    ]
    factor = r.target.shape[1] // r.small.shape[1]
    top, left, least = top // factor, left // factor, side // factor
    small = r.small[middle, top : top + least, left : left + least]
    label = (
        f"{_gain(r):+.1f} dB on the bodies ({r.psnr_dB['enlarged_bodies']:.1f} to "
        f"{r.psnr_dB['result_bodies']:.1f})\n{r.case.sample.prompt.text}"
    )
    coarse = small.repeat(factor, 0).repeat(factor, 1)
    return label, side_by_side(*(picture[None] for picture in (coarse, *large)))


def _around(mask_HW: Frames) -> tuple[int, int, int]:
    """Top, left and side of a square around what is set, within the picture."""
    height, width = mask_HW.shape
    rows, columns = np.nonzero(mask_HW.any(1))[0], np.nonzero(mask_HW.any(0))[0]
    if not len(rows):
        return 0, 0, min(height, width)
    side = max(_LEAST_SIDE, int(np.ptp(rows)) + 9, int(np.ptp(columns)) + 9)
    side = min(side + side % 2, height, width)
    top = int(np.clip(rows.mean() - side / 2, 0, height - side)) // 2 * 2
    left = int(np.clip(columns.mean() - side / 2, 0, width - side)) // 2 * 2
    return top, left, side
