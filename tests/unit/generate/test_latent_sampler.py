"""The generator, the super-resolver and the preview in training sample alike, bit by bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from omnireel.generate import GenerationSettings, GeneratorPipeline, UpscalePipeline, source_ids
from omnireel.generate.frames import frames_to_video, video_to_frames
from omnireel.model.sequence import OmniSample, Segment, pack
from omnireel.mvl import parse
from omnireel.recipes.preview import GeneratorPreview
from omnireel.sampling import sample_latents
from omnireel.sampling.guidance import chain
from omnireel.train.latent_record import LatentRecord
from omnireel.types import Clip, Role, VideoFormat
from omnireel.upscale.windows import pack_windows
from tests.support.engines.random_weights import DEFAULTS, save_random_weights

SHAPE = (2, 4, 4)
"""Latent (T, H, W) of ``FORMAT``."""
FORMAT = VideoFormat(32, 32, 5, 8.0)
SETTINGS = GenerationSettings(FORMAT, seed=3, num_inference_steps=2, guidance=DEFAULTS.guidance)
PROMPT = parse("a red ball rolls", (), ())


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def generator(weights: Path) -> GeneratorPipeline:
    return GeneratorPipeline.load(weights)


@pytest.fixture(scope="module")
def upscaler(weights: Path) -> UpscalePipeline:
    return UpscalePipeline.load(weights)


def spelled_out(
    pipeline: GeneratorPipeline | UpscalePipeline,
    segments: tuple[Segment, ...],
    shape: tuple[int, int, int],
    num_steps: int,
    seed: int,
) -> tuple[Tensor, int]:
    """Latents and evaluations for ``PROMPT`` with nothing in between but the sampling loop."""
    tokenizer = pipeline.conditions.tokenizer
    patch = pipeline.model.config.patch
    sample = OmniSample(tokenizer.encode(PROMPT, source_ids(PROMPT)), segments, shape, patch)
    guided = chain(sample, tokenizer.empty(), DEFAULTS.guidance)
    latents = sample_latents(
        pipeline.model,
        guided,
        torch.randn(4, *shape, generator=torch.Generator().manual_seed(seed)),
        DEFAULTS.sigmas(num_steps, shape, patch),
        pack
        if isinstance(pipeline, GeneratorPipeline)
        else lambda samples: pack_windows(samples, pipeline.config.window),
    )
    return latents, num_steps * len(guided.variants)


def test_generation(generator: GeneratorPipeline) -> None:
    latents, evaluations = generator.sample(PROMPT, {}, SETTINGS)
    expected, count = spelled_out(generator, (), SHAPE, 2, seed=3)
    assert torch.equal(latents, expected)
    assert evaluations == count == 4


def test_super_resolution(upscaler: UpscalePipeline) -> None:
    rng = np.random.default_rng(0)
    base = Clip(rng.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8), fps=8.0)
    made = upscaler.upscale(base, PROMPT, {}, SETTINGS)
    low = upscaler.conditions.vae.encode(upscaler.enlarge(base)[None])[0]
    condition = Segment(low, Role.LOW_RESOLUTION, len(source_ids(PROMPT)) + 1)
    expected, count = spelled_out(upscaler, (condition,), (2, 8, 8), 2, seed=3)
    assert torch.equal(made.latents_CTHW, expected)
    assert made.num_function_evaluations == count == 4


@pytest.mark.parametrize("windowed", [False, True])
def test_preview(generator: GeneratorPipeline, upscaler: UpscalePipeline, windowed: bool) -> None:
    pipeline = upscaler if windowed else generator
    vae = generator.conditions.vae
    shape = (2, 8, 8) if windowed else SHAPE
    low = torch.randn(4, *shape, generator=torch.Generator().manual_seed(9))
    segments = (Segment(low, Role.LOW_RESOLUTION, 1),) if windowed else ()
    record = LatentRecord("C20", 0, PROMPT, PROMPT, torch.zeros(4, *shape), segments)
    windows = upscaler.config.window if windowed else None
    preview = GeneratorPreview(vae, [record, record], DEFAULTS, windows=windows)
    shown = [c.columns["this run"] for c in preview(pipeline.model).comparisons]
    for seed, frames in enumerate(shown):  # the noise of record i is seeded with i
        expected, _ = spelled_out(pipeline, segments, shape, DEFAULTS.num_inference_steps, seed)
        assert np.array_equal(frames, video_to_frames(vae.decode(expected[None])[0]))
    assert not np.array_equal(*shown)


def test_a_step_is_told_with_its_preview_and_its_latents(generator: GeneratorPipeline) -> None:
    steps = []
    latents, _ = generator.sample(PROMPT, {}, SETTINGS, on_step=steps.append)
    assert [(step.step, step.num_steps) for step in steps] == [(1, 2), (2, 2)]
    assert np.array_equal(steps[-1].latents(), latents.numpy())
    shown = frames_to_video(steps[-1].preview())
    coarse = generator.conditions.vae.preview(latents[None])[0]
    assert shown.shape == coarse.shape
