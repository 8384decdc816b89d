"""What a result could not use of its media is said, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from omnireel.generate import ConditionEncoder, GeneratorPipeline
from omnireel.generate.unused import unused
from omnireel.mvl import parse
from omnireel.mvl.prompt import Element, Input
from omnireel.types import Clip, MediaKind, Role, VideoFormat
from tests.support.engines.random_weights import save_random_weights

SQUARE, WIDE = VideoFormat(64, 64, 17, 8.0), VideoFormat(112, 64, 17, 8.0)


@pytest.fixture(scope="module")
def conditions(tmp_path_factory: pytest.TempPathFactory) -> ConditionEncoder:
    pipeline = GeneratorPipeline.load(save_random_weights(tmp_path_factory.mktemp("weights")))
    return replace(pipeline.conditions, short_side=64)


def picture(width: int, height: int) -> Clip:
    return Clip(np.zeros((1, height, width, 3), np.uint8), fps=1.0)


def film(num_frames: int, fps: float) -> Clip:
    return Clip(np.zeros((num_frames, 64, 64, 3), np.uint8), fps=fps)


@pytest.mark.parametrize("role", [Role.SOURCE, Role.MOTION, Role.CAMERA])
def test_a_video_that_plays_longer_is_cut(conditions: ConditionEncoder, role: Role) -> None:
    prompt = parse("make it green", (Input("V", MediaKind.VIDEO, role),), ())
    said = unused(conditions, prompt, {"V": (film(118, 2.0),)}, SQUARE)
    assert said == (("INPUT_CUT", "@V was cut: the first 2.1 of 59.0 s were used."),)
    for clip in (film(17, 8.0), film(52, 24.0), film(9, 8.0), film(18, 8.0)):
        assert unused(conditions, prompt, {"V": (clip,)}, SQUARE) == ()


def test_a_panorama_is_cropped(conditions: ConditionEncoder) -> None:
    inputs = (
        Input("Wide", MediaKind.IMAGE, Role.FIRST_FRAME),
        Input("Tall", MediaKind.IMAGE, Role.LAST_FRAME),
        Input("Look", MediaKind.IMAGE),
    )
    prompt = parse("@Hero on a beach like @Look", inputs, (Element("Hero"),))
    media = {
        "Wide": (picture(640, 64),),
        "Tall": (picture(64, 128),),
        "Look": (picture(300, 100),),
        "Hero": (picture(64, 48), picture(64, 640)),
    }
    middle = "was cropped: the middle"
    assert unused(conditions, prompt, media, WIDE) == (
        ("INPUT_CROPPED", f"@Wide {middle} 18 % of its width was used."),
        ("INPUT_CROPPED", f"@Tall {middle} 29 % of its height was used."),
        ("INPUT_CROPPED", f"@Look {middle} 67 % of its width was used."),
        ("INPUT_CROPPED", f"Picture 2 of @Hero {middle} 20 % of its height was used."),
    )


@pytest.mark.parametrize("size", [(1, 1), (4, 3), (3, 2), (16, 9), (2, 1), (21, 9)])
def test_ordinary_pictures_make_no_noise(
    conditions: ConditionEncoder, size: tuple[int, int]
) -> None:
    width, height = 60 * size[0], 60 * size[1]
    fmt = SQUARE if width < 1.3 * height else WIDE  # the nearest, as the gateway chooses
    inputs = (Input("A", MediaKind.IMAGE, Role.FIRST_FRAME), Input("B", MediaKind.IMAGE))
    media = dict.fromkeys("AB", (picture(width, height),))
    assert unused(conditions, parse("@B", inputs, ()), media, fmt) == ()


def test_a_prompt_beyond_the_limit_is_cut(conditions: ConditionEncoder) -> None:
    limit = conditions.tokenizer.max_tokens
    short, one, many = ("q " * (limit + n) + "@A" for n in (-2, -1, 30))
    inputs = (Input("A", MediaKind.IMAGE),)
    media = {"A": (picture(64, 64),)}

    def said(text: str) -> tuple[tuple[str, str], ...]:
        return unused(conditions, parse(text, inputs, ()), media, SQUARE)

    assert said(short) == ()
    cut = "The prompt was cut: its last"
    assert said(one) == (("PROMPT_CUT", f"{cut} word was not read; shorten it."),)
    assert said(many) == (("PROMPT_CUT", f"{cut} 32 words were not read; shorten it."),)
