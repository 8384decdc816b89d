"""Prompts in free words: the file, one real record, and the shares."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omnireel.errors import AlreadyExists, FailedPrecondition
from omnireel.evaluate.free_prompts import run
from omnireel.evaluate.free_prompts.exact import exact_words
from omnireel.evaluate.free_prompts.prompts import GROUPS, SPLITS, read_prompts
from omnireel.evaluate.free_prompts.record import record_shares
from omnireel.evaluate.free_prompts.run import System, run_free_prompts
from omnireel.evaluate.free_prompts.summary import summary_of
from omnireel.mvl import parse
from omnireel.shipped import SHIPPED_TINY
from omnireel.world.lexicon import vocabulary
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


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "a ball rolls from left to right."),
        (
            {"kind": ("girl", "cube"), "color": ("red",), "motion": ("spin",), "place": ("room",)},
            "a girl in red spins around and a cube spins around, in a cozy room.",
        ),
        (
            {"kind": ("cat",), "color": ("black",), "weather": ("rain",), "camera": ("zoom_in",)},
            "a black cat walks from left to right, in the rain, the camera zooms in.",
        ),
    ],
)
def test_exact_words_are_those_of_captions(facts: dict[str, tuple[str, ...]], words: str) -> None:
    assert exact_words(facts) == words
    known = set(vocabulary())
    assert set(re.findall(r"[a-z]+", words)) <= known


def test_a_prompt_is_made_thrice_and_once_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [next(p for p in read_prompts() if p.split == "held_out")]
    (record,) = run_free_prompts(SYSTEM, chosen, tmp_path, workers=0)
    assert record["written"]["text"] == chosen[0].text
    assert set(record["enhanced"]["seen"]) == set(GROUPS)
    assert (tmp_path / "sheets" / f"{record['id']}.png").is_file()
    made = next((tmp_path / "records").iterdir())
    before = made.stat().st_mtime_ns
    assert run_free_prompts(SYSTEM, chosen, tmp_path, workers=0) == [record]
    assert made.stat().st_mtime_ns == before
    other = replace(SYSTEM, generator=SHIPPED_TINY / "teacher")
    with pytest.raises(AlreadyExists, match="other weights"):
        run_free_prompts(other, chosen, tmp_path, workers=0)
    made.write_text(made.read_text()[:20])
    with pytest.raises(FailedPrecondition, match=rf"{made.name} is damaged"):
        run_free_prompts(SYSTEM, chosen, tmp_path, workers=0)
    changed = tmp_path / "prompts.jsonl"
    changed.write_bytes(run.PROMPTS.read_bytes() + b"\n")
    monkeypatch.setattr(run, "PROMPTS", changed)
    with pytest.raises(AlreadyExists, match="other weights, prompts or readers"):
        run_free_prompts(SYSTEM, chosen, tmp_path, workers=0)


def test_shares_count_facts_and_intervals_prompts() -> None:
    def record(name: str, before: list[str], after: list[str], reason: str = "") -> dict[str, Any]:
        blank: dict[str, list[str]] = {group: [] for group in GROUPS}
        return {
            "id": name,
            "facts": {"kind": ["cat", "ball"]},
            "fallback_reason": reason,
            "written": {"seen": blank | {"kind": before}},
            "enhanced": {"seen": blank | {"kind": after}},
            "exact": {"seen": blank | {"kind": ["ball", "cat"]}},
        }

    data = summary_of([
        record("a", ["cat"], ["ball", "cat"]),
        record("b", [], ["cat"], "no"),
    ])  # fmt: skip
    assert (data["prompts"], data["facts"], data["not_rewritten"]) == (2, 4, 1)
    assert data["written"][0] == 0.25
    assert data["enhanced"][0] == 0.75
    assert data["gain"] == [0.5, 0.5, 0.5]
    assert data["groups"] == {"kind": {"facts": 4, "written": 0.25, "enhanced": 0.75, "exact": 1.0}}


def test_shares_go_into_the_card_of_the_enhancer_that_was_measured(tmp_path: Path) -> None:
    enhancer = tmp_path / "enhancer"
    shutil.copytree(SHIPPED_TINY / "enhancer", enhancer)
    shares = {"written": [0.25, 0, 1], "enhanced": [0.75, 0, 1], "exact": [1.0, 1, 1]}
    data = {"split": "held_out", **SYSTEM.hashes(), **shares}
    card = json.loads(record_shares(data, enhancer).read_text(encoding="utf-8"))
    assert card["scores"]["free_prompts_enhanced"] == 0.75
    assert "facts_kept" in card["scores"]
    with pytest.raises(FailedPrecondition, match="held_out"):
        record_shares({**data, "split": "known"}, enhancer)
    with pytest.raises(FailedPrecondition, match="another one"):
        record_shares({**data, "enhancer": "x"}, enhancer)
