"""The formulas, where exact answers are known."""

from __future__ import annotations

import math

import pytest

from omnireel.capacity.queueing import Stream, Wait, erlang_c, one_line, own_line, quantile_s


def test_erlang_c_is_the_textbook_value() -> None:
    # One server: the share that waits is the load. Two: 2 a^2 / (2 - a) over 1 + a + that ...
    assert erlang_c(1, 0.7) == pytest.approx(0.7)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)
    # 10 servers at 8 erlang, from tables.
    assert erlang_c(10, 8.0) == pytest.approx(0.4092, abs=1e-4)


def test_one_server_is_pollaczek_and_khinchin() -> None:
    rate, mean_s = 0.8, 1.0
    for cv in (0.0, 0.5, 1.0):
        exact = rate * mean_s**2 * (1 + cv**2) / 2 / (1 - rate * mean_s)
        assert one_line(1, rate, mean_s, cv).mean_s == pytest.approx(exact)
        assert own_line(Stream(rate), mean_s, cv).mean_s == pytest.approx(exact)


def test_a_clock_before_a_clock_never_waits() -> None:
    assert own_line(Stream(0.9, variation=0.0), 1.0, 0.0) == Wait(0.0, 0.0)


def test_too_much_work_waits_for_ever() -> None:
    assert math.isinf(one_line(3, 3.0, 1.0, 1.0).mean_s)
    assert math.isinf(own_line(Stream(1.0), 1.0, 1.0).mean_s)
    assert math.isinf(quantile_s([Wait(math.inf, 1.0)], 0.95))


def test_streams_keep_chance_and_lose_it_in_turn() -> None:
    chance = Stream(2.0)
    assert chance.part(0.3) == Stream(0.6, 1.0)
    assert chance.in_turn(4, callers=1) == Stream(0.5, 0.25)
    assert chance.in_turn(4, callers=1000).variation == pytest.approx(1.0, abs=1e-3)
    assert Stream(0.5).served(1.0, cv=1.0).variation == pytest.approx(1.0)  # Burke's theorem
    assert Stream(0.999).served(1.0, cv=0.0).variation == pytest.approx(0.0, abs=3e-3)
    assert Stream(0.5, 0.25).joined(1, busy=0.4).variation == pytest.approx(0.25)


def test_quantiles_of_one_line_are_exponential() -> None:
    wait = Wait(mean_s=2.0, share=0.5)  # those that wait: 4 s on average
    exact = 4.0 * math.log(0.5 / 0.05)
    assert quantile_s([wait], 0.95) == pytest.approx(exact, rel=0.01)
    assert quantile_s([wait], 0.4) == 0.0  # half of the jobs do not wait at all
    assert quantile_s([], 0.95) == 0.0


def test_two_alike_lines_are_an_erlang_distribution() -> None:
    both = [Wait(1.0, 1.0), Wait(1.0, 1.0)]
    at = quantile_s(both, 0.95)
    assert math.exp(-at) * (1 + at) == pytest.approx(0.05, rel=0.05)
