"""A training run shared by real processes is the run of one process: DeepSpeed ZeRO and Ulysses.

Losses, gradient norms, validation, weights, averages and optimiser states are compared after three
steps with clipping, warm-up, weight decay, Muon and AdamW together.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from omnireel.errors import InvalidInput
from omnireel.parallel import Rank
from tests.support.rank_training import (
    RankCase,
    RankRun,
    Trained,
    flow_trainer,
    largest_difference,
    one_process,
    read_trained,
    train_on_ranks,
)
from tests.support.ranks import run_ranks

RUN = RankRun(accumulate=4)
TWO = [RankCase(z, u, s) for z in range(4) for u in (1, 2) for s in (1, 3)]
TWO += [RankCase(0, 1, 0), RankCase(2, 2, 0), RankCase(3, 2, 3, offload=True)]
FOUR = [RankCase(z, u) for z in range(4) for u in (1, 2, 4)]
RESHAPED = [(0, 1, 4), (2, 2, 1), (3, 2, 1)]
"""ZeRO stage and Ulysses degree of a run on two ranks, and the Ulysses degree on four."""


def _train(cases: list[RankCase], world: int, folder: Path) -> dict[str, Path]:
    runs = {str(case): folder / str(case) for case in cases}
    run_ranks(train_on_ranks, world, [(c, RUN, runs[str(c)], False) for c in cases])
    return runs


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return _train(TWO, 2, tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return _train(FOUR, 4, tmp_path_factory.mktemp("four"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Trained]:
    folder = tmp_path_factory.mktemp("one")
    return {n: one_process(RankCase(0, 1, n), RUN, folder / str(n)) for n in (0, 1, 3)}


def _assert_same(found: Trained, expected: Trained) -> None:
    assert found.losses == pytest.approx(expected.losses, rel=1e-5)
    assert found.norms == pytest.approx(expected.norms, rel=1e-4)
    assert found.validation == pytest.approx(expected.validation, rel=1e-4)
    for group in ("model", "ema", "optimizer"):
        difference = largest_difference(found.groups[group], expected.groups[group])
        # Adam divides by a gradient's own size, and so amplifies the rounding of tiny ones.
        assert difference < 5e-4, group


@pytest.mark.parametrize("case", TWO, ids=str)
def test_two_ranks_are_one_run(
    case: RankCase, two: dict[str, Path], alone: dict[int, Trained]
) -> None:
    _assert_same(read_trained(two[str(case)]), alone[case.samples])


@pytest.mark.parametrize("case", [RankCase(z, u) for z in range(4) for u in (1, 2)], ids=str)
def test_ranks_tell_how_long_they_talk_and_wait(case: RankCase, two: dict[str, Path]) -> None:
    lines = (two[str(case)] / "metrics.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["event"] == "train"]
    assert len(rows) == RUN.steps
    for row in rows:
        assert 0 < row["time_communication"] < 1 and row["flops_per_s"] > 0
        # One group of two has nobody to wait for.
        assert ("imbalance" in row) == (case.ulysses == 1)


@pytest.mark.parametrize("case", FOUR, ids=str)
def test_four_ranks_are_one_run(
    case: RankCase, four: dict[str, Path], alone: dict[int, Trained]
) -> None:
    _assert_same(read_trained(four[str(case)]), alone[case.samples])


def test_another_mean_is_told_apart(two: dict[str, Path], alone: dict[int, Trained]) -> None:
    with pytest.raises(AssertionError):
        _assert_same(read_trained(two[str(RankCase(0, 1, 1))]), alone[3])


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return one_process(RankCase(0), _longer(), tmp_path_factory.mktemp("five") / "run")


@cache
def _longer() -> RankRun:
    return RankRun(steps=5, accumulate=4)


def test_checkpoints_go_on_with_any_number_of_ranks(
    two: dict[str, Path], uninterrupted: Trained, tmp_path: Path
) -> None:
    """Two ranks, then one; two, then four, then one; the end is that of one uninterrupted run."""
    import shutil

    jobs = []
    for zero, ulysses, wider in RESHAPED:
        saved = two[str(RankCase(zero, ulysses))]
        down, up = tmp_path / f"down{zero}", tmp_path / f"up{zero}"
        shutil.copytree(saved, down)
        shutil.copytree(saved, up)
        flow_trainer(RankCase(0), _longer(), down, Rank()).fit(resume=True)
        jobs.append((RankCase(3 - zero, wider), _longer(), up, True))
        _assert_same_end(read_trained(down), uninterrupted)
    run_ranks(train_on_ranks, 4, jobs)
    for _, _, folder, _ in jobs:
        _assert_same_end(read_trained(folder), uninterrupted)


def _assert_same_end(found: Trained, expected: Trained) -> None:
    assert found.losses == pytest.approx(expected.losses, rel=1e-5)
    assert found.norms == pytest.approx(expected.norms, rel=1e-4)
    for group in ("model", "ema", "optimizer"):
        assert largest_difference(found.groups[group], expected.groups[group]) < 5e-4, group


def test_batches_that_cannot_be_shared_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"set trainer\.accumulate to a multiple of 2"):
        run_ranks(train_on_ranks, 2, [(RankCase(1), RankRun(accumulate=3), tmp_path, False)])
    with pytest.raises(InvalidInput, match="zero must be 0, 1, 2 or 3"):
        flow_trainer(RankCase(4), RUN, tmp_path, Rank())
