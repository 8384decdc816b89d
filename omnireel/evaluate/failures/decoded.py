"""Clips that an autoencoder gives back worst: bodies that are small against its latents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from omnireel.evaluate.cases import CaseConfig, cases_of
from omnireel.evaluate.failures.report import Failures, side_by_side
from omnireel.evaluate.oracles.pixels import psnr
from omnireel.generate.components import load_vae
from omnireel.generate.frames import frames_to_video, video_to_frames
from omnireel.media.sheet import Row, spread
from omnireel.types import Frames
from omnireel.world.truth import render_truth

_MOMENTS = 3


@dataclass(frozen=True, eq=False)
class _Decoded:
    text: str
    truth: Frames
    result: Frames
    bodies_dB: float
    all_dB: float
    share: float
    """Of the picture that bodies cover."""


@torch.inference_mode()
def worst_decoded(folder: Path, count: int, config: CaseConfig) -> Failures:
    """The ``count`` clips of text-to-video cases whose bodies come back worst."""
    vae = load_vae(folder)
    found = []
    for case in cases_of("C20", config):
        sample = case.sample
        truth = sample.target.frames_THWC
        video = frames_to_video(truth)[None]
        result = video_to_frames(vae.decode(vae.encode(video))[0])
        masks = render_truth(sample.scene, sample.target.format).masks
        bodies_THW = np.any(list(masks.values()), axis=0)
        bodies_dB, all_dB = psnr(result, truth, bodies_THW), psnr(result, truth)
        if bodies_dB is None or all_dB is None:
            continue
        share = float(bodies_THW.mean())
        found.append(_Decoded(sample.prompt.text, truth, result, bodies_dB, all_dB, share))
    found.sort(key=lambda d: d.bodies_dB)
    return Failures(
        f"The worst of {config.cases_per_capability} clips, by the error on the bodies in them. In "
        "each row: three moments of the clip, and the same three after encoding and decoding.",
        [_row(d) for d in found[:count]],
    )


def _row(d: _Decoded) -> Row:
    label = (
        f"bodies {d.bodies_dB:.1f} dB, all pixels {d.all_dB:.1f} dB; bodies cover "
        f"{100 * d.share:.0f} % of it\n{d.text}"
    )
    moments = spread(len(d.truth), _MOMENTS)
    return label, side_by_side(d.truth[moments], d.result[moments])
