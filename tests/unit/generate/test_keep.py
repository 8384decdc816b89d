"""A result shows what it was made from where it shows the same, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch

from omnireel.generate.conditions import ConditionEncoder
from omnireel.generate.frames import frames_to_video, video_to_frames
from omnireel.generate.keep import kept
from omnireel.generate.pipeline import GeneratorPipeline
from omnireel.model.keeper import Keeper, KeeperConfig
from omnireel.mvl.prompt import Input, Prompt, TextPart
from omnireel.shipped import SHIPPED_TINY
from omnireel.types import Clip, Frames, MediaKind, Role, VideoFormat
from omnireel.world.tasks import TaskSample
from omnireel.world.tasks.mix import TaskMix, sample_mixed

FMT = VideoFormat(64, 64, 17, 8.0)


@cache
def _conditions() -> ConditionEncoder:
    return GeneratorPipeline.load(SHIPPED_TINY).conditions


def _decoded(sample: TaskSample, conditions: ConditionEncoder) -> Frames:
    """The exact answer, as the system shows it."""
    latents = conditions.vae.encode(frames_to_video(sample.target.frames_THWC)[None])[0]
    return video_to_frames(conditions.decode(latents, sample.prompt, sample.media, FMT))


def _without_keeper() -> ConditionEncoder:
    return replace(_conditions(), keeper=None)


def _error(a: Frames, b: Frames) -> float:
    return float((torch.from_numpy(a).float() - torch.from_numpy(b).float()).square().mean())


def test_nothing_given_changes_nothing() -> None:
    made = torch.rand(3, 5, 32, 32)
    assert kept(Keeper(KeeperConfig(channels=8, blocks=1)), made, [], []) is made


@pytest.mark.parametrize("capability", ["C4", "C6", "C13", "C18", "C22"])
def test_the_exact_answer_is_shown_better(capability: str) -> None:
    for seed in (7_000_001, 7_000_002):
        sample = sample_mixed(seed, FMT, TaskMix({capability: 1.0}))
        exact = sample.target.frames_THWC
        before, after = (
            _error(_decoded(sample, conditions), exact)
            for conditions in (_without_keeper(), _conditions())
        )
        assert after < before


def test_an_answer_that_shows_something_else_is_left_alone() -> None:
    rng = torch.Generator().manual_seed(0)
    other, sample = (sample_mixed(s, FMT, TaskMix({"C20": 1.0})) for s in (1, 2))
    given = Clip(other.target.frames_THWC[:1], fps=8.0)
    prompt = Prompt((TextPart("go on"),), (Input("A", MediaKind.IMAGE, Role.REFERENCE),))
    conditions = _conditions()
    latents = conditions.vae.encode(frames_to_video(sample.target.frames_THWC)[None])[0]
    latents = latents + 0.05 * torch.randn(latents.shape, generator=rng)
    shown = conditions.decode(latents, prompt, {"A": (given,)}, FMT)
    plain = conditions.vae.decode(latents[None])[0]
    assert float((shown - plain).abs().median()) < 0.01


@pytest.mark.parametrize("keeps", [True, False])
def test_a_given_frame_is_that_frame(keeps: bool) -> None:
    conditions = _conditions() if keeps else _without_keeper()
    rng = torch.Generator().manual_seed(5)
    pictures = {
        name: (Clip(torch.randint(0, 256, (1, 80, 64, 3), generator=rng).byte().numpy(), fps=8.0),)
        for name in ("A", "B")
    }
    inputs = (
        Input("A", MediaKind.IMAGE, Role.FIRST_FRAME),
        Input("B", MediaKind.IMAGE, Role.LAST_FRAME),
    )
    latents = torch.randn((48, 5, 8, 8), generator=rng)
    prompt = Prompt((TextPart("go on"),), inputs)
    frames = video_to_frames(conditions.decode(latents, prompt, pictures, FMT))
    for at, name in ((0, "A"), (-1, "B")):
        assert _error(frames[at], pictures[name][0].frames_THWC[0, 8:72]) == 0
