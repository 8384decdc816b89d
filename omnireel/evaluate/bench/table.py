"""Rows as text: a Markdown table that also reads well on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omnireel.evaluate.bench.families import FAMILIES

NAMES = {
    "C1": "image reference", "C2": "element", "C3": "image + element", "C4": "addition",
    "C5": "removal", "C6": "replacement", "C7": "stylisation", "C8": "attribute",
    "C9": "effects", "C10": "matting", "C11": "multi-image edit", "C12": "subject edit",
    "C13": "next shot", "C14": "previous shot", "C15": "camera angle", "C16": "motion transfer",
    "C17": "camera transfer", "C18": "first frame", "C19": "first and last frame",
    "C20": "text to video", "C21": "compositional", "C22": "visual prompt", "C23": "reasoning",
    "C24": "storyboard", "C25": "sketch",
}  # fmt: skip


def scores_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Score, floor, ceiling, and the share of that span; held out too; with 95 % intervals."""
    head = ("", "Capability", "Score", "95 %", "Floor", "Ceiling", "Span", "95 %", "Held out",
            "95 %", "Span", "95 %")  # fmt: skip
    body = [
        (
            row["id"],
            NAMES[row["id"]] + ("" if row["trained"] else " (not trained)"),
            _two(row["score"]),
            _bounds(row["interval"]),
            _two(row["floor"]),
            _two(row["ceiling"]),
            _percent(row["span"]),
            _percents(row["span_interval"]),
            _two(row["held_out"]),
            _bounds(row["held_out_interval"]),
            _percent(row["held_out_span"]),
            _percents(row["held_out_span_interval"]),
        )
        for row in rows
    ]
    return _markdown(head, body)


def detail_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Each row's span, its headline oracle, and the span of each family."""
    head = ("", "Span", "First oracle", "Score", "Floor", "Ceiling", "Truth", *FAMILIES)
    body = []
    for row in rows:
        first = row["oracles"][0]
        families = [row["families"].get(family, {}).get("span") for family in FAMILIES]
        numbers = [_number(first[c], first["unit"]) for c in ("score", "floor", "ceiling", "truth")]
        body.append((row["id"], _percent(row["span"]), first["name"], *numbers,
                     *map(_percent, families)))  # fmt: skip
    return _markdown(head, body)


def _markdown(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[k]) for line in (head, *body)) for k in range(len(head))]
    left = [all(not _is_number(line[k]) for line in body) for k in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        shown = [c.ljust(w) if at else c.rjust(w)
                 for c, w, at in zip(cells, widths, left, strict=True)]  # fmt: skip
        return "| " + " | ".join(shown) + " |"

    rule = "|" + "|".join("-" * (w + 2) if at else "-" * (w + 1) + ":"
                          for w, at in zip(widths, left, strict=True)) + "|"  # fmt: skip
    return "\n".join([line(head), rule, *map(line, body)])


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or (cell[:1] in "-[" and cell != "")


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _number(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.1f} {unit}" if unit else f"{value:.2f}"


def _bounds(bounds: Sequence[float] | None) -> str:
    return "" if bounds is None else f"[{bounds[0]:.2f}..{bounds[1]:.2f}]"


def _percents(bounds: Sequence[float] | None) -> str:
    return "" if bounds is None else f"[{100 * bounds[0]:.0f}..{100 * bounds[1]:.0f}]"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"
