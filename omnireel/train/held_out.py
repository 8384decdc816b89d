"""Held-out clips for validation: combinations that training never sees, with body masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from omnireel.train.objectives.autoencoding import HeldOutClips
from omnireel.types import Frames, VideoFormat
from omnireel.world.render import render_clip
from omnireel.world.sampler import sample_scene

_VISIBLE = 12
"""Difference in 0..255 from the empty scene above which a pixel shows a body or its shadow."""


def held_out_clips(fmt: VideoFormat, count: int, seed: int) -> HeldOutClips:
    """``count`` clips of the held-out split; a pixel belongs to a body when it differs from the
    same scene rendered without bodies."""
    clips: list[Frames] = []
    masks: list[npt.NDArray[np.bool_]] = []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        scene = sample_scene(rng, split="held_out", duration_s=fmt.duration_s)
        frames = render_clip(scene, fmt)
        empty = render_clip(replace(scene, bodies=(), effect="none", effect_on=""), fmt)
        difference = np.abs(frames.astype(np.int16) - empty).max(axis=-1)
        clips.append(frames)
        masks.append(difference > _VISIBLE)
    return HeldOutClips(np.stack(clips), np.stack(masks))
