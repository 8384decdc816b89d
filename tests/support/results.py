"""Small ``results.json`` contents with scores that are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def results_of(
    version: str,
    scores: Sequence[float],
    *,
    held_out: Sequence[float] = (),
    decibels: float | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """One capability with one share, and a ratio in dB when ``decibels`` is given."""

    def case(split: str, i: int, score: float) -> dict[str, Any]:
        answers = {"recognisable": score, "color": None}
        if decibels is not None:
            answers["target"] = decibels
        return {
            "name": f"C20/{split}/{i}",
            "split": split,
            "seed": seed + i,
            "prompt": f"a ball number {i}",
            "scores": {"precise": {"score": answers, "shuffled": answers}},
        }

    metrics = [
        {"oracle": "recognisable", "unit": ""},
        {"oracle": "color", "unit": ""},
        {"oracle": "target", "unit": "dB"},
    ]
    cases = [case("train", i, score) for i, score in enumerate(scores)]
    cases += [case("held_out", i, score) for i, score in enumerate(held_out)]
    return {
        "model": {"version": version, "steps": 10},
        "format_version": 1,
        "wordings": ["precise"],
        "capabilities": {"C20": {"metrics": metrics, "cases": cases}},
    }
