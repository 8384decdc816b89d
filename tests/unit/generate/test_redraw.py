"""Clips that a generator draws again: the later it goes on, the nearer to the truth."""

from __future__ import annotations

import numpy as np
import torch

from omnireel.generate.frames import frames_to_video
from omnireel.generate.pipeline import GeneratorPipeline
from omnireel.generate.redraw import redrawn
from omnireel.shipped import SHIPPED_TINY
from omnireel.types import Clip, VideoFormat
from omnireel.world.tasks.mix import TaskMix, sample_mixed

FMT = VideoFormat(64, 64, 5, 8.0)


def test_the_later_it_goes_on_the_nearer_is_the_truth() -> None:
    pipeline = GeneratorPipeline.load(SHIPPED_TINY)
    sample = sample_mixed(11, FMT, TaskMix({"C20": 1.0}))
    exact = frames_to_video(sample.target.frames_THWC)

    def drawn(step: int, clip: Clip = sample.target) -> torch.Tensor:
        return redrawn(pipeline, clip, sample.prompt, sample.media, step, seed=3)

    far = [float((drawn(step) - exact).square().mean()) for step in (0, 6, 9)]
    assert far[0] > far[1] > far[2] > 0
    black = Clip(np.zeros_like(sample.target.frames_THWC), fps=FMT.fps)
    # From noise alone, the clip has no say.
    torch.testing.assert_close(drawn(0, black), drawn(0))
