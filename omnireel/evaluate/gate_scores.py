"""From the ``results.json`` of two evaluations to what the gate looks at.

Scores are named ``C20/recognisable`` (held-in cases) and ``C20/recognisable/held_out``; with other
wordings than the precise one, ``C20/recognisable:enhanced``. ``mean`` is the mean over the cases
of each case's shares and likenesses (oracles without a unit).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnireel.errors import InvalidInput, NotFound
from omnireel.evaluate.bootstrap import BootstrapConfig, mean_interval
from omnireel.evaluate.gate import Measured
from omnireel.evaluate.gsb import compare_scores
from omnireel.evaluate.summary import TIE_MARGIN

Values = dict[str, dict[str, float]]
"""Score name -> case name -> value."""


def read_results(path: Path) -> dict[str, Any]:
    """An evaluation's ``results.json`` (of ``omnireel eval quick``).

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is another file, or does not say which model it is about.

    """
    if not path.is_file():
        raise NotFound(f"there are no results in {path}; make them with 'omnireel eval quick'")
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version, known = data["model"]["version"], data["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{path} is not the results.json of an evaluation ({error!r})", field="results"
        ) from error
    if known != 1 or not isinstance(version, str):
        raise InvalidInput(f"{path} has format version {known}; 1 is known", field="results")
    return data


def measure(
    candidate: Mapping[str, Any],
    champion: Mapping[str, Any] | None,
    *,
    tie_margin: float = TIE_MARGIN,
    config: BootstrapConfig | None = None,
) -> Measured:
    """Intervals of the candidate, and of its differences from the champion case by case.

    Args:
        candidate: its results.
        champion: the champion's on the same cases; None when there is none yet.
        tie_margin: mean scores of a case that differ by no more than this are the same; fix it
            before the comparison, from the noise between seeds.
        config: of the bootstrap.

    Raises:
        InvalidInput: the two were measured on different cases.

    """
    own = _values(candidate)
    scores = {n: mean_interval([*v.values()], config=config) for n, v in own.items() if v}
    name = str(candidate["model"]["version"])
    if champion is None:
        return Measured(name, scores)
    _check_same_cases(candidate, champion)
    other = _values(champion)
    differences = {}
    for score, values in own.items():
        # A case in which either has no answer tells nothing about the difference.
        common = [case for case in values if case in other.get(score, {})]
        if common:
            pairs = [values[case] - other[score][case] for case in common]
            differences[score] = mean_interval(pairs, common, config)
    cases = [case for case in own["mean"] if case in other["mean"]]
    comparison = compare_scores(
        [own["mean"][case] for case in cases],
        [other["mean"][case] for case in cases],
        cases,
        tie_margin=tie_margin,
        config=config,
    )
    return Measured(name, scores, str(champion["model"]["version"]), differences, comparison)


def _values(results: Mapping[str, Any]) -> Values:
    values: Values = {"mean": {}}
    for capability, found in results["capabilities"].items():
        plain = {m["oracle"] for m in found["metrics"] if not m["unit"]}
        for case in found["cases"]:
            for wording in results["wordings"]:
                suffix = "" if wording == "precise" else f":{wording}"
                scores = case["scores"][wording]["score"]
                answers = {name: v for name, v in scores.items() if v is not None}
                for oracle, value in answers.items():
                    split = "/held_out" if case["split"] == "held_out" else ""
                    name = f"{capability}/{oracle}{split}{suffix}"
                    values.setdefault(name, {})[case["name"]] = float(value)
                shares = [float(v) for name, v in answers.items() if name in plain]
                if shares:
                    values["mean"][case["name"] + suffix] = sum(shares) / len(shares)
    return values


def _check_same_cases(candidate: Mapping[str, Any], champion: Mapping[str, Any]) -> None:
    def cases(results: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
        return {
            case["name"]: (case["seed"], case["prompt"])
            for found in results["capabilities"].values()
            for case in found["cases"]
        }

    own, other = cases(candidate), cases(champion)
    different = sorted(n for n in own.keys() | other.keys() if own.get(n) != other.get(n))
    if different or candidate["wordings"] != champion["wordings"]:
        shown = f" ({', '.join(different[:3])} ...)" if different else " (other wordings)"
        raise InvalidInput(
            f"candidate and champion were measured on different cases{shown}; evaluate both with "
            "the same capabilities, count, seed and wordings",
            field="champion_results",
        )
