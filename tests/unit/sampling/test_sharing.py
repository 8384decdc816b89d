"""Several sampling loops on one model: what each gets, and what happens to one alone."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch

from omnireel.errors import Cancelled
from omnireel.model.sequence import OmniSample, Segment, pack
from omnireel.sampling import Guidance, SamplerStep, sample_latents, shifted_sigmas
from omnireel.sampling.guidance import chain
from omnireel.sampling.sharing import SharedDenoiser
from omnireel.types import Role
from tests.support.tiny_models import latents, small_transformer, text

FOREVER_S = 250.0
EMPTY = text()
PLAIN = OmniSample(text(5, 6), (), (2, 4, 4))
EDIT = OmniSample(
    text(7), (Segment(latents(2, 4, 4, 1), Role.SOURCE, 1),), (2, 4, 4)
)  # one more guidance variant, the same target
LARGE = OmniSample(text(8), (), (3, 4, 4))
SIGMAS = {PLAIN: 4, EDIT: 6, LARGE: 4}


class Watched:
    """A model that counts its calls by tokens, and may fail."""

    def __init__(self, fails: Callable[[int], bool] = lambda tokens: False) -> None:
        self.model = small_transformer()
        self.fails = fails
        self.calls: list[int] = []

    def encode_conditions(self, packed):
        return self.model.encode_conditions(packed)

    def denoise(self, noisy_NP, timesteps_B, packed, cache):
        self.calls.append(noisy_NP.shape[0])
        if self.fails(noisy_NP.shape[0]):
            raise MemoryError("too many at once")
        return self.model.denoise(noisy_NP, timesteps_B, packed, cache)


def sample(model, what: OmniSample, seed: int, **more) -> torch.Tensor:
    return sample_latents(
        model,
        chain(what, EMPTY, Guidance()),
        latents(*what.target_shape, seed),
        shifted_sigmas(SIGMAS[what], 3.0),
        pack,
        **more,
    )


def together(shared: SharedDenoiser, *loops: tuple[OmniSample, dict]) -> list[object]:
    """The results or errors of loops that all begin before the first step of any."""
    begin = threading.Barrier(len(loops))
    results: list[object] = [None] * len(loops)

    def run(number: int, what: OmniSample, more: dict) -> None:
        with shared.loop():
            begin.wait()
            try:
                results[number] = sample(shared, what, number, **more)
            except (Cancelled, MemoryError) as error:
                results[number] = error

    threads = [
        threading.Thread(target=run, args=(number, *loop)) for number, loop in enumerate(loops)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def assert_as_alone(result: object, what: OmniSample, seed: int) -> None:
    expected = sample(small_transformer(), what, seed)
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)


def test_joint_steps_give_what_each_gives_alone() -> None:
    model = Watched()
    shared = SharedDenoiser(model, max_tokens=1000, window_s=FOREVER_S)
    results = together(shared, (PLAIN, {}), (EDIT, {}), (PLAIN, {}))
    for number, what in enumerate((PLAIN, EDIT, PLAIN)):
        assert_as_alone(results[number], what, number)
    # Tokens: 8 for each of 2, 3 and 2 variants; the longer loop ends alone.
    assert model.calls == [56] * 4 + [24] * 2
    assert (shared.count.steps, shared.count.calls) == (4 + 6 + 4, 4 + 2)


def test_no_more_than_fit_run_together() -> None:
    model = Watched()
    shared = SharedDenoiser(model, max_tokens=32, window_s=0.0)
    for number, result in enumerate(together(shared, *[(PLAIN, {})] * 4)):
        assert_as_alone(result, PLAIN, number)
    assert max(model.calls) <= 32


def test_targets_of_different_sizes_do_not_mix() -> None:
    model = Watched()
    shared = SharedDenoiser(model, max_tokens=1000, window_s=0.01)
    results = together(shared, (PLAIN, {}), (LARGE, {}))
    assert_as_alone(results[0], PLAIN, 0)
    assert_as_alone(results[1], LARGE, 1)
    assert sorted(model.calls) == [16] * 4 + [24] * 4


def test_one_that_is_cancelled_stops_alone_and_at_once() -> None:
    steps: list[SamplerStep] = []
    shared = SharedDenoiser(Watched(), max_tokens=1000, window_s=FOREVER_S)
    cancelled = {"on_step": steps.append, "cancelled": lambda: len(steps) == 2}
    results = together(shared, (PLAIN, cancelled), (PLAIN, {}))
    assert isinstance(results[0], Cancelled)
    assert len(steps) == 2
    assert_as_alone(results[1], PLAIN, 1)


def test_what_does_not_fit_together_runs_apart() -> None:
    shared = SharedDenoiser(
        Watched(lambda tokens: tokens > 24), max_tokens=1000, window_s=FOREVER_S
    )
    results = together(shared, (PLAIN, {}), (EDIT, {}))
    assert_as_alone(results[0], PLAIN, 0)
    assert_as_alone(results[1], EDIT, 1)


def test_one_that_does_not_fit_fails_alone() -> None:
    shared = SharedDenoiser(
        Watched(lambda tokens: tokens >= 24), max_tokens=1000, window_s=FOREVER_S
    )
    results = together(shared, (PLAIN, {}), (EDIT, {}))
    assert_as_alone(results[0], PLAIN, 0)
    assert isinstance(results[1], MemoryError)


@pytest.mark.parametrize("max_tokens", [0, 31])
def test_off(max_tokens: int) -> None:
    model = Watched()
    shared = SharedDenoiser(model, max_tokens=max_tokens, window_s=FOREVER_S)
    assert_as_alone(together(shared, (PLAIN, {}), (PLAIN, {}))[1], PLAIN, 1)
    assert model.calls == [16] * 8
