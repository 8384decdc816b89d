"""Which group of ranks works on which batch of a step, where batches have different degrees."""

from __future__ import annotations

import pytest

from omnireel.train.balance import PackedBatches
from omnireel.train.turns import Part, Turn, Turns, step_shares
from tests.support.rank_training import MixedData, RankCase, RankRun, data_of

PLACES = 8


def mixed_degrees() -> PackedBatches:
    """Steps of eight places; some mix degrees of 1, 2 and 4, some have a place without work."""
    data = data_of(RankCase(0, 1, 0, max_degree=4), RankRun(accumulate=PLACES))
    assert isinstance(data, PackedBatches)
    return data


def round_of(data: PackedBatches, groups: int, index: int) -> list[Turn | None]:
    return [Turns(data, PLACES, group, groups).batch(index) for group in range(groups)]


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
def test_groups_take_places_in_rounds_of_equal_length(groups: int) -> None:
    """Every batch is worked on once, by as many groups as it may have, all in the same round."""
    data, rounds = mixed_degrees(), PLACES // groups
    for step in range(4):
        seen: dict[Part, float] = {}
        for index in range(step * rounds, (step + 1) * rounds):
            turns = round_of(data, groups, index)
            assert len({turn is None for turn in turns}) == 1
            for turn in turns:
                if turn is not None:
                    assert turn.degree == min(turn.part.degree, groups)
                    seen[turn.part] = seen.get(turn.part, 0.0) + 1 / turn.degree
        assert set(seen.values()) == {1.0}
        assert [part.first for part in seen] == [g.first_rank for g in data.plan(step)[1].groups]


def test_a_place_without_work_has_something_to_run_that_counts_nothing() -> None:
    data = mixed_degrees()
    turns = [turn for turn in round_of(data, PLACES, 0) if turn is not None]
    idle = [turn for turn in turns if turn.part.idle]
    assert len(turns) == PLACES and idle and all(turn.batch for turn in turns)
    everything = [sum(turn.share(len(turn.batch)) for turn in turns)]
    shares = [step_shares([t], len, lambda own: everything)[0] for t in turns]
    counted = [t.share(s) for t, s in zip(turns, shares, strict=True)]
    assert sum(counted) == pytest.approx(1)
    assert all(c == s == 0 for t, s, c in zip(turns, shares, counted, strict=True) if t.part.idle)


def test_data_without_a_plan_have_one_batch_for_each_place() -> None:
    turns = [Turns(MixedData(2), 6, group, 3) for group in range(3)]
    assert turns[0].rounds == 2
    seeds = [[t.batch(i) for t in turns] for i in (0, 1, 2)]
    firsts = [[turn.batch[0].seed // 2 for turn in row if turn is not None] for row in seeds]
    assert firsts == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert step_shares([t for t in seeds[0] if t is not None][:1], None, lambda own: [6.0]) == [
        1 / 6
    ]
