"""The real engine on random weights in the shipped format."""

from __future__ import annotations

import dataclasses
from concurrent import futures

import numpy as np
import pytest
import torch

from omnireel.errors import Cancelled, IntegrityError, InvalidInput, NotFound
from omnireel.generate import GeneratorPipeline
from omnireel.mvl import Input, Prompt, TextPart
from omnireel.types import Clip, MediaKind, Role, VideoFormat
from services.common.convert_generation import model_info_to_proto
from services.common.model_info import GuidanceScales, ModelInfo, Sampling
from services.generator.engine import (
    PipelineEngine,
    capabilities,
    pipeline_settings,
    with_defaults,
)
from services.generator.settings import GeneratorSettings
from tests.support.engines.random_weights import (
    DEFAULTS,
    LIMITS,
    save_random_adapter,
    save_random_weights,
)

PROMPT = Prompt((TextPart("a red ball"),))
FORMAT = VideoFormat(32, 32, 5, 8.0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.set_num_threads(1)
    return save_random_weights(tmp_path_factory.mktemp("tiny"))


def load(weights, **more) -> PipelineEngine:
    return PipelineEngine.load(GeneratorSettings(store_url="file:///s", weights=weights, **more))


@pytest.fixture(scope="module")
def engine(weights):
    return load(weights)


def make(engine, sampling, cancelled=lambda: False):
    steps = []
    made = engine.generate(PROMPT, {}, sampling, on_step=steps.append, cancelled=cancelled)
    return made, steps


def test_how_many_run_together(weights):
    small, large = (Sampling(VideoFormat(32, 32, n, 8.0), seed=5) for n in (1, 5))
    limited = load(weights, batch_tokens=16)  # 4 tokens a latent frame, with and without guidance
    assert (limited.together(small), limited.together(large)) == (2, 1)
    assert load(weights, batch_tokens=0).together(small) == 1


def test_jobs_together_make_what_they_make_alone(engine, weights):
    shared = load(weights, batch_tokens=1000)
    with futures.ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda n: make(shared, Sampling(FORMAT, seed=n)), range(3)))
    for seed, (made, steps) in enumerate(together):
        alone, _ = make(engine, Sampling(FORMAT, seed=seed))
        np.testing.assert_allclose(made.latents_CTHW, alone.latents_CTHW, atol=1e-4)
        assert [event.step for event in steps] == [1, 2, 3]
    assert shared.denoised is not None
    assert shared.denoised.steps == 9 and 3 <= shared.denoised.calls <= 9


def test_it_gives_what_the_pipeline_gives(engine, weights):
    made, steps = make(engine, Sampling(FORMAT, seed=5))
    used = Sampling(FORMAT, 5, 3, guidance=GuidanceScales(2.0, 1.0, 1.0))
    direct = GeneratorPipeline.load(weights).generate(PROMPT, {}, pipeline_settings(used))
    assert made.sampling == used
    assert np.array_equal(made.latents_CTHW, direct.latents_CTHW.numpy())
    assert np.array_equal(made.clip.frames_THWC, direct.clip.frames_THWC)
    assert made.num_function_evaluations == direct.num_function_evaluations
    assert [(s.step, s.num_steps) for s in steps] == [(1, 3), (2, 3), (3, 3)]
    assert steps[0].preview().shape[0] == 5


def test_it_says_what_of_prompt_and_media_it_could_not_use(engine):
    source = Clip(np.zeros((40, 32, 96, 3), np.uint8), fps=8.0)
    prompt = Prompt(
        (TextPart("make it green" + " zz" * 50),),
        inputs=(Input("V", MediaKind.VIDEO, Role.SOURCE),),
    )
    made = engine.generate(
        prompt, {"V": (source,)}, Sampling(FORMAT, 5), on_step=lambda step: None,
        cancelled=lambda: False,
    )  # fmt: skip
    assert made.warnings == (
        ("PROMPT_CUT", "The prompt was cut: its last 8 words were not read; shorten it."),
        ("INPUT_CUT", "@V was cut: the first 0.6 of 5.0 s were used."),
        ("INPUT_CROPPED", "@V was cropped: the middle 33 % of its width was used."),
    )
    assert make(engine, Sampling(FORMAT, 5))[0].warnings == ()


def test_it_warms_up(engine):
    engine.warm_up()


def test_it_says_what_it_is(engine):
    info = engine.info
    assert (info.kind, info.device, len(info.version)) == ("generator", "cpu", 16)
    assert len(info.weights_sha256) == 64
    assert info.num_parameters > 0
    assert info.capabilities.sizes == LIMITS.sizes
    assert info.capabilities.defaults.num_inference_steps == DEFAULTS.num_inference_steps


def test_cancel_is_seen_before_the_next_step(engine):
    executed = []

    def cancelled() -> bool:
        return len(executed) >= 1

    with pytest.raises(Cancelled):
        engine.generate(
            PROMPT, {}, Sampling(FORMAT, 5), on_step=executed.append, cancelled=cancelled
        )
    assert len(executed) == 1


def test_what_the_model_cannot_serve_is_named(engine):
    with pytest.raises(InvalidInput) as caught:
        make(engine, Sampling(VideoFormat(64, 64, 4, 9.0), 5, num_inference_steps=201))
    fields = {v.field for v in caught.value.violations}
    assert fields == {"format.size", "format.num_frames", "format.fps", "num_inference_steps"}


def test_a_distilled_generator_tells_that_guidance_is_baked_in(weights):
    pipeline = GeneratorPipeline.load(weights)
    limits = dataclasses.replace(pipeline.limits, guidance_baked_in=True)
    told = model_info_to_proto(
        ModelInfo("generator", "x", "v", "cpu", capabilities=capabilities(limits, DEFAULTS))
    )
    assert told.capabilities.guidance_baked_in
    plain = capabilities(pipeline.limits, DEFAULTS)
    assert not plain.guidance_baked_in


def test_given_settings_win_over_defaults():
    given = Sampling(FORMAT, 1, 9, guidance=GuidanceScales(image=0.0))
    used = with_defaults(given, DEFAULTS)
    assert used == dataclasses.replace(given, guidance=GuidanceScales(2.0, 0.0, 1.0))


def test_missing_weights_are_not_found(tmp_path):
    with pytest.raises(NotFound, match="generator"):
        load(tmp_path)


def test_tampered_weights_are_refused(tmp_path):
    weights = save_random_weights(tmp_path / "tiny")
    path = weights / "generator" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="does not match"):
        load(weights)


def test_an_adapter_is_part_of_the_model_and_of_its_version(engine, weights, tmp_path):
    folder = save_random_adapter(tmp_path / "look", weights / "generator")
    adapted = load(weights, adapter=folder)
    base, _, own = adapted.info.version.partition("+")
    assert base == engine.info.version and len(own) == 16
    assert adapted.info.name == f"{engine.info.name}+{tmp_path.name}-adapter"
    assert adapted.info.num_parameters > engine.info.num_parameters
    sampling = Sampling(FORMAT, seed=5)
    made, before = make(adapted, sampling)[0], make(engine, sampling)[0]
    assert not np.array_equal(made.latents_CTHW, before.latents_CTHW)
    other = save_random_adapter(tmp_path / "other", weights / "generator", seed=8)
    assert load(weights, adapter=other).info.version.partition("+")[2] != own


def test_an_adapter_of_another_base_is_refused(weights, tmp_path):
    other = save_random_weights(tmp_path / "other", seed=1)
    folder = save_random_adapter(tmp_path / "look", other / "generator")
    with pytest.raises(IntegrityError, match="give it that base"):
        load(weights, adapter=folder)
    with pytest.raises(NotFound, match=r"card\.json"):
        load(weights, adapter=tmp_path / "nothing")
    with pytest.raises(InvalidInput, match="'adapter' is needed"):
        load(weights, adapter=weights / "generator")
