"""A short, seeded slice of ``make fuzz``, and what it is made of."""

from __future__ import annotations

import random

import pytest

from omnireel.api.v1 import video_pb2
from omnireel.errors import InvalidInput
from tests.fuzz.api import fuzz_api
from tests.fuzz.media import fuzz_media, mutate
from tests.fuzz.messages import MessageMaker
from tests.fuzz.mvl import fuzz_mvl
from tests.fuzz.tally import Tally


@pytest.mark.parametrize(("fuzz", "count"), [(fuzz_media, 150), (fuzz_mvl, 450), (fuzz_api, 300)])
def test_slice(fuzz, count: int) -> None:
    tally = fuzz(count, 7)
    assert tally.stories == []
    assert (tally.crashes, tally.hangs) == (0, 0)
    assert tally.inputs >= count * 0.9
    assert tally.accepted and tally.refused


def test_a_crash_is_counted_and_told() -> None:
    tally = Tally("x")
    with tally.one("fine", (InvalidInput,)):
        pass
    with tally.one("refused", (InvalidInput,)):
        raise InvalidInput("no", field="a")
    with tally.one("the input", (InvalidInput,)):
        raise ZeroDivisionError("a bug")
    assert (tally.inputs, tally.accepted, tally.refused, tally.crashes) == (3, 1, 1, 1)
    assert "the input" in tally.stories[0] and "a bug" in tally.stories[0]


def test_equal_seeds_make_equal_inputs() -> None:
    def made(seed: int) -> tuple[bytes, bytes]:
        maker = MessageMaker(random.Random(seed))
        message = maker.mutated(maker.fill(video_pb2.CreateVideoRequest()))
        return (
            message.SerializeToString(deterministic=True),
            mutate(b"abc" * 99, b"x" * 99, random.Random(seed)),
        )

    assert made(3) == made(3) != made(4)
