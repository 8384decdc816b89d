"""What counts as a hang of the work on a device."""

from __future__ import annotations

import pytest

from services.common.pulse import Patience, Pulse

PATIENCE = Patience(part_s=600.0, step_s=30.0, step_times=10.0)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def steps(pulse: Pulse, clock: Clock, *seconds: float) -> None:
    for each in seconds:
        pulse.step_begins()
        clock.now += each
        pulse.step_done()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pulse(clock: Clock) -> Pulse:
    return Pulse(lambda: False, PATIENCE, clock)


def test_the_first_two_steps_have_time_to_encode_and_compile(pulse: Pulse, clock: Clock) -> None:
    for first in (200.0, 100.0):
        pulse.step_begins()
        clock.now += first
        assert pulse.allowed_s == 600.0 and not pulse.hung
        pulse.step_done()


@pytest.mark.parametrize(("measured", "allowed_s"), [(0.5, 30.0), (7.0, 70.0), (80.0, 600.0)])
def test_later_steps_are_measured_by_the_longest_but_the_first(
    pulse: Pulse, clock: Clock, measured: float, allowed_s: float
) -> None:
    steps(pulse, clock, 100.0, measured, measured / 2)
    pulse.step_begins()
    clock.now += allowed_s
    assert not pulse.hung
    clock.now += 0.1
    assert pulse.hung
    pulse.step_done()
    assert not pulse.hung


def test_decoding_and_writing_are_no_steps(pulse: Pulse, clock: Clock) -> None:
    steps(pulse, clock, 0.5, 0.5, 0.5)
    clock.now += 599.0
    assert not pulse.hung
    pulse.step_begins()
    pulse.aside()  # stopped in the middle of a step, and now its state is stored
    clock.now += 599.0
    assert not pulse.hung
    clock.now += 2.0
    assert pulse.hung


def test_to_look_whether_to_stop_is_a_sign_of_life(clock: Clock) -> None:
    stop = [False]
    pulse = Pulse(lambda: stop[0], PATIENCE, clock)
    clock.now += 601.0
    assert pulse.hung and pulse.silent_s == 601.0
    assert not pulse()
    assert not pulse.hung and pulse.silent_s == 0.0
    stop[0] = True
    assert pulse()
