"""From scores per case to means with intervals, and to the JSON that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from omnireel.evaluate.bootstrap import Interval, mean_interval
from omnireel.evaluate.gsb import compare_scores
from omnireel.evaluate.oracles import Oracle, oracles_of
from omnireel.evaluate.quick import COLUMNS, CaseResult, Evaluation, Scores
from omnireel.world.holdout import Split

TIE_MARGIN = 0.05
"""Mean scores of a case that differ by no more than this are the same."""


@dataclass(frozen=True)
class Line:
    """One oracle on one capability and wording: a mean with its interval for each column, over
    the held-in cases, and the score on held-out combinations. None where no case asks for it.
    """

    capability: str
    wording: str
    oracle: Oracle
    held_in: dict[str, Interval | None]
    held_out: Interval | None


def lines_of(evaluation: Evaluation, capability: str) -> list[Line]:
    """The lines of one finished capability, headline first."""
    results = evaluation.capabilities[capability]
    return [
        Line(
            capability,
            wording,
            oracle,
            {c: _interval(results, "train", wording, c, oracle.name) for c in COLUMNS},
            _interval(results, "held_out", wording, "score", oracle.name),
        )
        for wording in evaluation.wordings
        for oracle in oracles_of(capability)
    ]


def scores_of(result: CaseResult, wording: str, column: str) -> Scores:
    """The scores of one case in one column."""
    found = result.scores[wording] if column in ("score", "shuffled") else result.exact
    return found[column]


def _interval(
    results: Sequence[CaseResult], split: Split, wording: str, column: str, oracle: str
) -> Interval | None:
    values = [
        value
        for result in results
        if result.case.split == split
        and (value := scores_of(result, wording, column)[oracle]) is not None
    ]
    return mean_interval(values) if values else None


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Everything that was measured, as JSON data."""
    capabilities = {}
    for capability, results in evaluation.capabilities.items():
        capabilities[capability] = {
            "metrics": [
                {
                    "oracle": line.oracle.name,
                    "meaning": line.oracle.meaning,
                    "unit": line.oracle.unit,
                    "wording": line.wording,
                    "held_in": {c: _json(i) for c, i in line.held_in.items()},
                    "held_out": _json(line.held_out),
                }
                for line in lines_of(evaluation, capability)
            ],
            "cases": [
                {
                    "name": r.case.name,
                    "split": r.case.split,
                    "seed": r.case.sample.seed,
                    "prompt": r.case.sample.prompt.text,
                    "vague_prompt": r.case.sample.vague_prompt.text,
                    "scores": r.scores,
                    **r.exact,
                }
                for r in results
            ],
        }
    out: dict[str, Any] = {
        "format_version": 1,
        "cases": asdict(evaluation.config),
        "wordings": list(evaluation.wordings),
        "capabilities": capabilities,
    }
    if {"vague", "enhanced"} <= set(evaluation.wordings):
        out["enhanced_against_vague"] = _gsb(evaluation)
    return out


def _gsb(evaluation: Evaluation) -> dict[str, Any]:
    """GSB of enhanced over vague prompts, by the mean of each case's shares and likenesses."""
    first, second, prompts = [], [], []
    for capability, results in evaluation.capabilities.items():
        plain = {o.name for o in oracles_of(capability) if not o.unit}
        for result in results:
            first.append(_mean(result.scores["enhanced"]["score"], plain))
            second.append(_mean(result.scores["vague"]["score"], plain))
            prompts.append(result.case.name)
    compared = compare_scores(first, second, prompts, tie_margin=TIE_MARGIN)
    return {
        "good": compared.good,
        "same": compared.same,
        "bad": compared.bad,
        "gsb": _json(compared.gsb),
        "tie_margin": TIE_MARGIN,
    }


def _mean(scores: Scores, names: set[str]) -> float:
    values = [v for name, v in scores.items() if name in names and v is not None]
    return sum(values) / len(values) if values else 0.0


def _json(interval: Interval | None) -> dict[str, float | int | None] | None:
    """An interval as JSON; infinite bounds (a GSB without losses) become null."""
    if interval is None:
        return None
    return {
        name: value if abs(value) < float("inf") else None
        for name, value in asdict(interval).items()
    }
