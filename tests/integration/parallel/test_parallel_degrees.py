"""Steps whose batches are shared by different numbers of ranks: long samples by many, short by one.

Real processes (gloo), every ZeRO stage; the run of one process is what all are compared with.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from omnireel.errors import InvalidInput
from omnireel.parallel import Rank
from omnireel.train.balance import PackedBatches
from tests.support.rank_training import (
    RankCase,
    RankRun,
    Trained,
    data_of,
    flow_trainer,
    largest_difference,
    one_process,
    read_trained,
    train_on_ranks,
)
from tests.support.ranks import run_ranks

RUN = RankRun(accumulate=8)
LONGER = RankRun(steps=5, accumulate=8)
TWO = [RankCase(z, 1, 0, max_degree=2) for z in range(4)]
TWO += [RankCase(0, 1, 0, max_degree=4), RankCase(3, 1, 0, max_degree=4, recompute=True)]
FOUR = [RankCase(z, 1, 0, max_degree=4) for z in range(4)]
FOUR += [RankCase(1, 2, 0, max_degree=2), RankCase(2, 2, 0, max_degree=2, recompute=True)]


def _train(cases: list[RankCase], world: int, folder: Path) -> dict[RankCase, Path]:
    runs = {case: folder / str(case) for case in cases}
    run_ranks(train_on_ranks, world, [(c, RUN, runs[c], False) for c in cases])
    return runs


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[RankCase, Path]:
    return _train(TWO, 2, tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> dict[RankCase, Path]:
    return _train(FOUR, 4, tmp_path_factory.mktemp("four"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Trained]:
    folder = tmp_path_factory.mktemp("one")
    return {d: one_process(RankCase(0, 1, 0, max_degree=d), RUN, folder / str(d)) for d in (2, 4)}


def _assert_same(found: Trained, expected: Trained, losses: slice = slice(None)) -> None:
    assert found.losses == pytest.approx(expected.losses[losses], rel=1e-5)
    assert found.norms == pytest.approx(expected.norms[losses], rel=1e-4)
    assert found.validation == pytest.approx(expected.validation, rel=1e-4)
    for group in ("model", "ema", "optimizer"):
        assert largest_difference(found.groups[group], expected.groups[group]) < 5e-4, group


def test_the_steps_mix_degrees_and_one_has_a_place_without_work() -> None:
    plans = {}
    for degree in (2, 4):
        batches = data_of(RankCase(0, 1, 0, max_degree=degree), RUN)
        assert isinstance(batches, PackedBatches)
        plans[degree] = [batches.plan(step)[1].groups for step in range(RUN.steps)]
    assert {1, 2} in [{g.degree for g in step} for step in plans[2]], plans[2]
    assert {g.degree for g in plans[4][0]} == {1, 2, 4}
    assert any(not g.samples for g in plans[4][0])


@pytest.mark.parametrize("case", TWO, ids=str)
def test_two_ranks_are_one_run(
    case: RankCase, two: dict[RankCase, Path], alone: dict[int, Trained]
) -> None:
    _assert_same(read_trained(two[case]), alone[case.max_degree])


@pytest.mark.parametrize("case", FOUR, ids=str)
def test_four_ranks_are_one_run(
    case: RankCase, four: dict[RankCase, Path], alone: dict[int, Trained]
) -> None:
    _assert_same(read_trained(four[case]), alone[case.max_degree])


def test_every_step_tells_its_imbalance_and_the_planned_one(four: dict[RankCase, Path]) -> None:
    case = FOUR[0]
    lines = (four[case] / "metrics.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["event"] == "train"]
    batches = data_of(case, RUN)
    assert isinstance(batches, PackedBatches)
    for step, row in enumerate(rows):
        plan = batches.plan(step)[1]
        # Eight places on four ranks: a rank works on two of them, one after the other.
        seconds = [sum(plan.rank_seconds[r::4]) for r in range(4)]
        whole = [g for g in plan.groups if g.degree == 4]
        planned = 1 - sum(seconds) / 4 / max(seconds)
        assert row["planned_imbalance"] == pytest.approx(planned, abs=1e-6)
        assert 0 <= row["imbalance"] < 1 and whole == list(plan.groups[: len(whole)])


def test_checkpoints_go_on_with_any_number_of_ranks(
    two: dict[RankCase, Path], four: dict[RankCase, Path], tmp_path: Path
) -> None:
    """From four ranks to two and to one, from two to four; the end is that of a run of one."""
    case = FOUR[1]
    whole = one_process(case, LONGER, tmp_path / "whole")
    for name in ("one", "two", "four"):
        shutil.copytree(two[TWO[4]] if name == "four" else four[case], tmp_path / name)
    flow_trainer(RankCase(0, 1, 0, max_degree=4), LONGER, tmp_path / "one", Rank()).fit(resume=True)
    stage3 = RankCase(3, 1, 0, max_degree=4)
    run_ranks(train_on_ranks, 2, [(stage3, LONGER, tmp_path / "two", True)])
    run_ranks(train_on_ranks, 4, [(stage3, LONGER, tmp_path / "four", True)])
    for name in ("one", "two", "four"):
        found = read_trained(tmp_path / name)
        assert found.losses == pytest.approx(whole.losses, rel=1e-5)
        assert found.norms == pytest.approx(whole.norms, rel=1e-4)
        for group in ("model", "ema", "optimizer"):
            assert largest_difference(found.groups[group], whole.groups[group]) < 5e-4, group


def test_what_does_not_go_together_is_refused_in_one_line(tmp_path: Path) -> None:
    wrong = [(RankCase(0, 1, 0, max_degree=2), RankRun(accumulate=6))]
    with pytest.raises(AssertionError, match=r"3 ranks cannot be cut into groups of 2; .*max_deg"):
        run_ranks(train_on_ranks, 3, [(*wrong[0], tmp_path / "ranks", False)])
    with pytest.raises(
        InvalidInput, match=r"set trainer\.accumulate to a multiple of packing\.max"
    ):
        data_of(RankCase(0, 1, 0, max_degree=4), RankRun(accumulate=6))
