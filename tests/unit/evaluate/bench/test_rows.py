"""From answers of oracles to rows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from omnireel.evaluate.bench.families import case_score, family_of, family_scores
from omnireel.evaluate.bench.rows import rows_of, span, span_interval, stated_in, summary_of
from omnireel.evaluate.bench.stated import stated_oracles
from omnireel.evaluate.bench.table import detail_table, scores_table


def _record(number: int, score: float, *, split: str = "train") -> dict[str, Any]:
    """A case of C10, whose matte has ``score`` between a floor of 0.2 and a ceiling of 0.8."""
    columns = {"score": score, "floor": 0.2, "ceiling": 0.8, "truth": 1.0}
    names = ("matte", "kept", "edit", "liveliness")
    answers = {name: dict.fromkeys(columns, None) for name in names}
    return {
        "id": f"C10-{number:02d}", "capability": "C10", "split": split, "trained": False,
        "answers": {**answers, "matte": columns}, "evaluations": 20,
        "cost": {"making_cpu_s": 1.0, "judging_cpu_s": 0.5},
    }  # fmt: skip


def test_a_row_has_score_floor_ceiling_interval_and_held_out() -> None:
    records = [_record(0, 0.3), _record(1, 0.7), _record(16, 0.4, split="held_out")]
    (row,) = rows_of(records)
    assert (row["score"], row["floor"], row["ceiling"]) == (0.5, 0.2, 0.8)
    assert row["interval"] == [0.3, 0.7]
    assert row["span"] == 0.5
    assert row["span_interval"] == pytest.approx([1 / 6, 5 / 6], abs=1e-4)
    assert row["held_out_interval"] is row["held_out_span_interval"] is None
    assert (row["held_out"], row["held_out_span"]) == (0.4, pytest.approx(1 / 3, abs=1e-4))
    assert row["oracles"][0]["name"] == "matte"
    assert row["oracles"][0]["truth"] == 1.0
    assert list(row["families"]) == ["prompt"]


def test_one_case_has_no_interval() -> None:
    alone = _record(0, 0.3)
    summary = summary_of([{**alone, "stated": ["matte"]}], {})
    (row,) = summary["rows"]
    assert (row["score"], row["interval"]) == (0.3, None)
    assert summary["stated"]["interval"] is None
    json.dumps(summary, allow_nan=False)
    assert "0.30 |      |  0.20" in scores_table([row])


def test_rows_come_in_the_order_of_the_table() -> None:
    other = {**_record(0, 0.5), "capability": "C9", "answers": {}}
    other["answers"] = {"effect": {"score": 1.0, "floor": 0.0, "ceiling": 1.0, "truth": 1.0}}
    assert [row["id"] for row in rows_of([_record(0, 0.5), other])] == ["C9", "C10"]


def test_families_count_alike_and_decibels_are_shares() -> None:
    answers = {"color": 1.0, "kind": 0.0, "count": 1.0, "motion": 0.0, "kept": 25.0, "edit": 5.0}
    found = family_scores("C4", {**answers, "liveliness": None})
    assert found == {"dynamics": 0.0, "prompt": pytest.approx(2 / 3), "consistency": 0.5}
    assert case_score("C4", answers) == pytest.approx((0 + 2 / 3 + 0.5) / 3)
    assert family_of("C4", "edit") is None
    assert family_of("C7", "edit") == "consistency"


def test_of_careless_words_only_stated_facts_count() -> None:
    asked = {"score": 1.0, "floor": 0.0, "ceiling": 1.0, "truth": 1.0}
    missed = {**asked, "score": 0.0}
    unasked = dict.fromkeys(asked)
    first = {**_record(0, 0.3), "stated": ["color", "motion", "camera"]}
    first["answers"] = {"color": asked, "kind": missed, "motion": missed, "camera": unasked}
    second = {**_record(1, 0.7, split="held_out"), "stated": []}
    found = stated_in([first, second])
    assert found is not None
    assert (found["facts"], found["score"], found["span"]) == (2, 0.5, 0.5)
    assert "stated" not in summary_of([_record(0, 0.3)], {})


def test_facts_are_found_in_careless_words() -> None:
    assert stated_oracles("crimson cube going around, somewhere cold") == [
        "color", "kind", "place", "motion",
    ]  # fmt: skip
    assert stated_oracles("make @Image_1 move") == []


def test_the_mean_span_of_two_rows_is_known_better_than_that_of_one() -> None:
    cases = [_record(n, score) for n, score in enumerate((0.3, 0.4, 0.6, 0.7))]
    others = [
        {**(case := _record(n, score)), "capability": "C9"}
        | {"answers": {"effect": case["answers"]["matte"]}}
        for n, score in enumerate((0.3, 0.7) * 2)
    ]
    one, two = span_interval([cases]), span_interval([cases, others])
    assert one is not None and two is not None
    assert two[1] - two[0] < one[1] - one[0]
    assert summary_of(cases, {})["mean"]["span_interval"] == one
    assert span_interval([cases, others[:1]]) is None


def test_a_frame_that_the_decoder_pastes_does_not_count() -> None:
    assert family_of("C18", "first_frame") is family_of("C19", "last_frame") is None
    assert family_of("C18", "cast") == "identity"


def test_a_span_needs_room() -> None:
    assert span(0.5, 0.5, 0.5) is None
    assert span(0.9, 0.1, 0.9) == 1.0


def test_tables_say_what_was_not_trained() -> None:
    summary = summary_of([_record(0, 0.3), _record(1, 0.7)], {"bench": {"version": 1}})
    table = scores_table(summary["rows"])
    assert "matting (not trained)" in table
    assert "[0.30..0.70]" in table
    assert len({len(line) for line in table.splitlines()}) == 1
    assert "matte" in detail_table(summary["rows"])
