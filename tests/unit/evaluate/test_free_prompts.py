"""Prompts in free words: the file, one real record, and the shares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omnireel.errors import AlreadyExists
from omnireel.evaluate.free_prompts.prompts import GROUPS, SPLITS, read_prompts
from omnireel.evaluate.free_prompts.run import System, run_free_prompts
from omnireel.evaluate.free_prompts.summary import summary_of
from omnireel.mvl import parse
from omnireel.shipped import SHIPPED_TINY
from omnireel.world.scene import (
    CAMERA_MOVES,
    CHARACTERS,
    COLORS,
    MOTIONS,
    PLACES,
    SHAPES,
    STYLES,
    WEATHERS,
)

KINDS = (*SHAPES, *CHARACTERS)
VALUES = dict(
    zip(GROUPS, (KINDS, COLORS, MOTIONS, PLACES, WEATHERS, STYLES, CAMERA_MOVES), strict=True)
)
SYSTEM = System(SHIPPED_TINY / "generator", SHIPPED_TINY / "vae", SHIPPED_TINY / "enhancer")


def test_facts_are_values_of_the_world_and_every_value_comes_up() -> None:
    prompts = read_prompts()
    assert len({p.id for p in prompts}) == len({p.text for p in prompts}) == 360
    assert {p.split for p in prompts} == set(SPLITS)
    held_out = [p for p in prompts if p.split == "held_out"]
    for group, values in VALUES.items():
        assert {v for p in prompts for v in p.facts.get(group, ())} <= set(values)
        said = {v for p in held_out for v in p.facts.get(group, ())}
        assert set(values) - said <= {"static", "clear", "natural"}, group
    for prompt in prompts:
        assert parse(prompt.text).text


def test_a_prompt_is_made_twice_and_once_only(tmp_path: Path) -> None:
    chosen = [next(p for p in read_prompts() if p.split == "held_out")]
    (record,) = run_free_prompts(SYSTEM, chosen, tmp_path, workers=0)
    assert record["written"]["text"] == chosen[0].text
    assert set(record["enhanced"]["seen"]) == set(GROUPS)
    made = next((tmp_path / "records").iterdir())
    before = made.stat().st_mtime_ns
    assert run_free_prompts(SYSTEM, chosen, tmp_path, workers=0) == [record]
    assert made.stat().st_mtime_ns == before
    other = replace(SYSTEM, generator=SHIPPED_TINY / "teacher")
    with pytest.raises(AlreadyExists, match="other weights"):
        run_free_prompts(other, chosen, tmp_path, workers=0)


def test_shares_count_facts_and_intervals_prompts() -> None:
    def record(name: str, before: list[str], after: list[str], reason: str = "") -> dict[str, Any]:
        blank: dict[str, list[str]] = {group: [] for group in GROUPS}
        return {
            "id": name,
            "facts": {"kind": ["cat", "ball"]},
            "fallback_reason": reason,
            "written": {"seen": blank | {"kind": before}},
            "enhanced": {"seen": blank | {"kind": after}},
        }

    data = summary_of([
        record("a", ["cat"], ["ball", "cat"]),
        record("b", [], ["cat"], "no"),
    ])  # fmt: skip
    assert (data["prompts"], data["facts"], data["not_rewritten"]) == (2, 4, 1)
    assert data["written"][0] == 0.25
    assert data["enhanced"][0] == 0.75
    assert data["gain"] == [0.5, 0.5, 0.5]
    assert data["groups"] == {"kind": {"facts": 4, "written": 0.25, "enhanced": 0.75}}
