"""The real engine on random weights in the shipped format."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from omnireel.errors import InvalidInput
from omnireel.generate import GenerationSettings, UpscalePipeline
from omnireel.mvl import Prompt, TextPart
from omnireel.types import Audio, Clip, VideoFormat
from services.common.model_info import GuidanceScales, Sampling
from services.generator.engine import PipelineEngine as GeneratorEngine
from services.generator.settings import GeneratorSettings
from services.super_resolver.engine import BaseVideo, PipelineEngine
from services.super_resolver.settings import SuperResolverSettings
from tests.support.engines.random_weights import DEFAULTS, save_random_weights

PROMPT = Prompt((TextPart("a red ball"),))
SAMPLING = Sampling(VideoFormat(32, 32, 5, 8.0), 5, guidance=GuidanceScales(text=9.0))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.set_num_threads(1)
    return save_random_weights(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def engine(weights):
    return PipelineEngine.load(SuperResolverSettings(store_url="file:///s", weights=weights))


def upscale(engine, base):
    steps = []
    made = engine.upscale(base, PROMPT, {}, SAMPLING, on_step=steps.append, cancelled=lambda: False)
    return made, steps


def test_the_base_is_taken_from_the_latents(engine, weights):
    generator = GeneratorEngine.load(GeneratorSettings(store_url="file:///s", weights=weights))
    base = generator.generate(
        PROMPT, {}, SAMPLING, on_step=lambda step: None, cancelled=lambda: False
    )
    lossy = Clip(np.zeros((5, 32, 32, 3), np.uint8), 8.0)
    made, steps = upscale(engine, BaseVideo(lossy, base.latents_CTHW))
    settings = GenerationSettings(SAMPLING.format, 5, 3, DEFAULTS.guidance)
    direct = UpscalePipeline.load(weights).upscale(base.clip, PROMPT, {}, settings)
    assert made.clip.frames_THWC.shape == (5, 64, 64, 3)
    assert np.array_equal(made.clip.frames_THWC, direct.clip.frames_THWC)
    assert (made.num_steps, len(steps)) == (3, 3)
    assert made.num_function_evaluations == direct.num_function_evaluations


def test_without_latents_the_video_counts(engine):
    sound = Audio(np.zeros((1, 100), np.float32), 8000)
    gray = Clip(np.full((5, 32, 32, 3), 128, np.uint8), 8.0, sound)
    made, _ = upscale(engine, BaseVideo(gray, None))
    assert made.clip.format == VideoFormat(64, 64, 5, 8.0)


def test_latents_of_another_format_are_refused(engine):
    clip = Clip(np.zeros((5, 32, 32, 3), np.uint8), 8.0)
    with pytest.raises(InvalidInput) as caught:
        upscale(engine, BaseVideo(clip, np.zeros((4, 2, 8, 8), np.float32)))
    assert caught.value.violations[0].field == "latents_uri"


def test_it_warms_up_and_says_what_it_is(engine):
    engine.warm_up()
    assert engine.info.kind == "super_resolver"
    assert engine.info.capabilities.upscale_factor == 2
    assert engine.info.capabilities.defaults.num_upscale_steps == 3
