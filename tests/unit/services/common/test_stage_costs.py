"""What is measured of a stage, and what is expected from it."""

from __future__ import annotations

from itertools import product

import pytest

from omnireel.api.v1 import (
    generation_pb2,
    generator_pb2,
    mvl_pb2,
    progress_pb2,
    super_resolver_pb2,
)
from omnireel.model.sequence import OmniSample, Segment
from omnireel.sampling.guidance import Guidance, chain
from services.common.convert_mvl import _ROLES
from services.common.evaluations import evaluations_per_step
from services.common.jobs import Stage
from services.common.stage_costs import generate_cost, upscale_cost
from tests.support.tiny_models import latents, text

EMPTY, WORDS = text(), text(5, 6)
SCALES = (0.0, 1.0, 1.5, 4.0)


@pytest.mark.parametrize("elements", [0, 1])
@pytest.mark.parametrize("roles", [(), *((role,) for role in _ROLES), (3, 2), (3, 6, 2)])
def test_evaluations_are_those_of_the_sampler(roles: tuple[int, ...], elements: int) -> None:
    prompt = mvl_pb2.Prompt(text="a ball")
    segments = []
    for number in roles:
        role = _ROLES[mvl_pb2.Role.ValueType(number)]
        prompt.inputs.add(name="x", role=mvl_pb2.Role.ValueType(number))
        segments.append(Segment(latents(1, 2, 2, 0), role, 1))
    for _ in range(elements):
        prompt.elements.add(name="e")
        segments.append(Segment(latents(1, 2, 2, 0), _ROLES[mvl_pb2.ROLE_REFERENCE], 2))
    sample = OmniSample(WORDS, tuple(segments), (1, 2, 2))
    for words, image, video in product(SCALES, repeat=3):
        variants = chain(sample, EMPTY, Guidance(words, image, video)).variants
        asked = generation_pb2.Guidance(text=words, image=image, video=video)
        assert evaluations_per_step(prompt, asked) == len(variants), (words, image, video)


def timing() -> progress_pb2.StageTiming:
    made = progress_pb2.StageTiming(num_function_evaluations=30)
    made.elapsed.FromMilliseconds(5000)
    made.codec_elapsed.FromMilliseconds(2000)
    return made


def test_the_loop_is_told_from_what_surrounds_it() -> None:
    settings = generation_pb2.GenerationSettings(num_inference_steps=10, num_upscale_steps=4)
    generated = generator_pb2.GenerateResult(model_version="g", timing=timing())
    cost = generate_cost(settings, generated, first_step=1)
    assert cost is not None and cost.key.stage is Stage.GENERATE
    assert (cost.units, cost.seconds, cost.fixed_s) == (30, 3.0, 2.0)
    upscaled = super_resolver_pb2.UpscaleResult(model_version="s", timing=timing())
    cost = upscale_cost(settings, upscaled, first_step=1)
    assert cost is not None and cost.key.stage is Stage.UPSCALE
    assert (cost.units, cost.seconds, cost.fixed_s) == (4, 3.0, 2.0)


@pytest.mark.parametrize("first_step", [0, 2, 30])
def test_an_attempt_that_resumed_tells_nothing_of_a_whole_one(first_step: int) -> None:
    settings = generation_pb2.GenerationSettings(num_inference_steps=10, num_upscale_steps=4)
    generated = generator_pb2.GenerateResult(timing=timing())
    assert generate_cost(settings, generated, first_step) is None
    assert upscale_cost(settings, super_resolver_pb2.UpscaleResult(), first_step) is None
