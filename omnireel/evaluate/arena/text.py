"""The report of an arena as a few lines for a terminal."""

from __future__ import annotations

from typing import Any

from omnireel.evaluate.bench.families import FAMILY_NAMES


def arena_text(report: dict[str, Any]) -> str:
    """Lines about people, then lines about the oracle, then about both."""
    lines: list[str] = []
    if people := report["people"]:
        lines += ["people:", *_findings(people)]
        if people["alpha"] is not None:
            lines.append(f"agreement of people (Krippendorff's alpha): {people['alpha']:.2f}")
    lines += [_judge(judge) for judge in report["judges"]]
    if oracle := report["oracle"]:
        lines += [f"oracle (tie margin {oracle['tie_margin']:g}):", *_findings(oracle)]
        for other in oracle["other_margins"]:
            lines += [f"  tie margin {other['tie_margin']:g}: {_pair(p)}" for p in other["pairs"]]
        for family, axis in oracle["axes"].items():
            alpha = "" if axis["alpha"] is None else f"; alpha with people {axis['alpha']:.2f}"
            lines += [f"  {FAMILY_NAMES[family]}: {_pair(p)}{alpha}" for p in axis["pairs"]]
    if (both := report["people_and_oracle"]) is not None:
        lines.append(f"agreement of people with the oracle (Krippendorff's alpha): {both:.2f}")
    return "\n".join(lines)


def _findings(found: dict[str, Any]) -> list[str]:
    lines = []
    for pair in found["pairs"]:
        detectable = pair["detectable"]
        seen = "" if detectable is None else f"; detectable from ±{detectable:.2f} on"
        lines.append(f"  {_pair(pair)}, (G-B)/n {pair['difference']:+.2f}{seen}")
    ranked = sorted(found["strengths"].items(), key=lambda item: -item[1]["estimate"])
    return lines + [f"  strength {name}: {_interval(value)}" for name, value in ranked]


def _pair(pair: dict[str, Any]) -> str:
    return (
        f"{pair['first']} against {pair['second']}: good {pair['good']}, same {pair['same']}, "
        f"bad {pair['bad']}, GSB {_interval(pair['gsb'])}"
    )


def _judge(judge: dict[str, Any]) -> str:
    names = {"gold": "gold right", "steady": "same when repeated", "left": "left"}
    shares = "".join(
        f", {label} {judge[key]:.0%}" for key, label in names.items() if judge[key] is not None
    )
    end = "" if judge["kept"] else "; left out"
    if judge["gold"] is None:
        end += "; not checked: no answered trial has a known answer (give more --trials)"
    return f"{judge['name']}: {judge['answered']} answers{shares}{end}"


def _interval(found: dict[str, float | None]) -> str:
    estimate, low, high = (
        "inf" if found[key] is None else f"{found[key]:.2f}" for key in ("estimate", "low", "high")
    )
    # Of known bounds only the upper one may be infinite.
    bounds = "bounds unknown" if found["low"] is None else f"{low}..{high}"
    return f"{estimate} [{bounds}]"
