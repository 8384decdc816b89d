"""The bench: what it makes is what it says, and its arithmetic."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from omnireel.data.bench import corrupt
from omnireel.data.bench.cases import CASES, cases_of
from omnireel.data.bench.coding import CODECS, encode
from omnireel.data.bench.copies import CopiesFound
from omnireel.data.bench.filming import Filming, film
from omnireel.data.bench.judging import choose, confusion, judge_rows, roc_of
from omnireel.data.bench.report import Bench, as_html, as_json
from omnireel.data.bench.run import Row, sources
from omnireel.data.checks import CHECKS, Bounds, Tier
from omnireel.media import read_clip
from tests.support.seen_frames import pan, scene


def row(score: float | None, *, bad: bool, source: int = 0, check: str = "blur") -> Row:
    return Row(source, "soft" if bad else "good", check if bad else "", bad, 1.0, {"blur": score})


ROWS = [row(1.0 + i, bad=False, source=i) for i in range(4)] + [
    row(3.5 + i, bad=True, source=i) for i in range(4)
]


def test_precision_and_recall_by_hand() -> None:
    found = judge_rows(ROWS, "blur", Bounds(high=3.2))
    assert (found.good, found.bad) == (4, 4)
    assert found.recall.value == 1.0
    assert found.precision.value == pytest.approx(1 / (1 + 0.25))  # one good clip of four
    assert found.by_case == {"good": (4, 1), "soft": (4, 4)}
    assert found.auc == pytest.approx(15 / 16)  # one of sixteen pairs is the wrong way round
    assert found.recall.low <= found.recall.value <= found.recall.high


def test_a_check_that_does_not_apply_misses_the_bad() -> None:
    found = judge_rows([*ROWS, row(None, bad=True)], "blur", Bounds(high=3.2))
    assert found.recall.value == pytest.approx(4 / 5)


def test_a_threshold_is_chosen_in_the_widest_best_gap() -> None:
    separable = [row(v, bad=False) for v in (1.0, 2.0)] + [row(v, bad=True) for v in (6.0, 9.0)]
    assert choose(separable, "blur", Bounds(high=1)) == Bounds(high=4.0)
    turned = [row(v, bad=v < 5) for v in (1.0, 2.0, 6.0, 9.0)]
    assert choose(turned, "blur", Bounds(low=1)) == Bounds(low=4.0)


def test_roc_runs_from_corner_to_corner() -> None:
    roc = roc_of(np.array([1.0, 2.0, 3.0]), np.array([False, True, True]))
    assert roc[0] == (0.0, 0.0)
    assert (0.0, 1.0) in roc
    assert roc[-1] == (1.0, 1.0)


def test_beyond_either_of_two_bounds_is_bad() -> None:
    rows = [row(v, bad=not 2 <= v <= 8) for v in (1.0, 3.0, 7.0, 9.0)]
    found = judge_rows(rows, "blur", Bounds(2, 8))
    assert found.auc == found.recall.value == found.precision.value == 1.0


def test_confusion_counts_rejections() -> None:
    table = confusion(ROWS, {"blur": Bounds(high=3.2)})
    assert table == {"good": {"blur": 0.25}, "blur": {"blur": 1.0}}


def test_the_report_holds_every_check() -> None:
    judged = judge_rows(ROWS, "blur", Bounds(high=3.2))
    copies = CopiesFound(2, 1, 0, 4, {"cropped": (2, 1)}, (0.9, 0.1), ())
    bench = Bench("report", (judged,), ({"blur": {"blur": 1.0}},), copies)
    assert as_json(bench)["checks"][0]["bounds"] == {"high": 3.2}
    page = as_html(bench)
    assert "1 of 2 copies found" in page
    assert page.count("<svg") == 2


def test_every_check_of_tier_two_has_bad_cases_and_every_source_has_some() -> None:
    about = {case.check for case in CASES if case.bad}
    assert about == {check.name for check in CHECKS if check.tier is Tier.TEMPORAL}
    for number in range(8):
        chosen = {case.check for case in cases_of(number) if case.bad}
        assert chosen >= about - {"logo"}
    reached = {case.name for number in range(40) for case in cases_of(number)}
    assert reached == {case.name for case in CASES}


def test_splits_share_no_source() -> None:
    assert not set(sources("choose", 1000)) & set(sources("report", 1000))


def test_filming_repeats_and_pans() -> None:
    config = Filming(width=96, height=64, seconds=0.5, pan=(0.5, 0.0), things=0, noise=0.0)
    one, other = (film(np.random.default_rng(3), config) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    apart = np.abs(one[0, :, 4:].astype(int) - one[1, :, :-4]).mean()
    assert apart < np.abs(one[0].astype(int) - one[1]).mean() / 3


@pytest.mark.parametrize("codec", CODECS)
def test_codecs_lose_more_at_a_coarser_quality(codec: str, tmp_path: Path) -> None:
    frames = pan(scene(1, 300), 4, 3.0)
    sizes, losses = [], []
    for quality in (CODECS[codec].qualities[0], CODECS[codec].qualities[-1]):
        path = tmp_path / f"{quality}.{CODECS[codec].container}"
        path.write_bytes(encode(frames, 8.0, codec, quality))
        back = read_clip(path).frames_THWC
        assert back.shape == frames.shape
        sizes.append(path.stat().st_size)
        losses.append(float(np.abs(back.astype(int) - frames).mean()))
    assert sizes[1] < sizes[0]
    assert losses[1] > 1.5 * losses[0]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_clips_of_few_frames_are_encoded(codec: str, count: int, tmp_path: Path) -> None:
    frames = pan(scene(1, 300), count, 3.0)
    path = tmp_path / f"clip.{CODECS[codec].container}"
    path.write_bytes(encode(frames, 8.0, codec))
    assert len(read_clip(path).frames_THWC) == count


@pytest.mark.parametrize("codec", CODECS)
def test_encoding_leaves_the_thread_no_more_urgent_than_it_was(codec: str) -> None:
    before = os.sched_getscheduler(0)
    encode(pan(scene(1, 300), 2, 3.0), 8.0, codec)
    assert os.sched_getscheduler(0) == before


def test_faults_do_what_they_say() -> None:
    frames = pan(scene(2, 300), 12, 3.0)
    other = pan(scene(3, 300), 12, 3.0)
    joined = corrupt.join(frames, other, 5)
    np.testing.assert_array_equal(joined[:5], frames[:5])
    np.testing.assert_array_equal(joined[5:], other[5:])
    frozen = corrupt.freeze(frames, 3, 4)
    assert (frozen[3:7] == frames[3]).all()
    assert (frozen[7] == frames[7]).all()
    barred = corrupt.bars(frames, 0.25, upright=False)
    assert not barred[:, :14].any()
    assert barred[:, 14:98].any()
    blown = corrupt.blow_out(frames, 0.5)
    assert 0.25 < (blown.min(axis=3) >= 250).mean() < 0.75
    assert (corrupt.expose(frames, -3.0) <= frames).all()
    assert corrupt.through_black(frames, other, 6, 6)[5:7].mean() < frames.mean() / 4
