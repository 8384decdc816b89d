"""The model card: a flat JSON object, and the README that people read.

Known keys, each optional, in the order they are shown: ``title``, ``summary``, ``command`` (how it
was trained), ``data``, ``steps``, ``samples``, ``seeds`` (of data and training), ``hardware``,
``wall_time_s``, ``git_revision``,
``rung`` (of the ladder that trained it), ``earlier`` (the stages before it, see
:mod:`omnireel.registry.descent`), ``scores`` (name -> number), ``failures`` (what it fails at:
``summary``, ``command`` that found it, ``picture`` beside the card, ``table`` with its head),
``limits`` (list of sentences), ``licence``. Other keys are kept in ``card.json`` and shown under
"Details".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omnireel.files import atomic_write
from omnireel.registry.descent import START, Stage, parents

_TRAINING = {
    "data": "Data",
    "steps": "Steps",
    "samples": "Samples seen",
    "seeds": "Seeds",
    "hardware": "Hardware",
    "wall_time_s": "Wall time (s)",
    "git_revision": "Revision",
}
_SHOWN = {
    "title",
    "summary",
    "command",
    "rung",
    "earlier",
    "after",
    "scores",
    "failures",
    "limits",
    "licence",
    "sha256",
    *_TRAINING,
}


def card_markdown(card: Mapping[str, Any]) -> str:
    """The card as Markdown for ``README.md``."""
    lines = [f"# {card.get('title', 'Omnireel ' + str(card['kind']))}", ""]
    if summary := card.get("summary"):
        lines += [str(summary), ""]
    lines += [
        f"- Component: `{card['kind']}`",
        f"- Parameters: {card['num_parameters']:,}",
        f"- Weights: {card['weight_bytes'] / 2**20:.1f} MiB, stored as {card['storage_dtype']}",
        f"- Licence: {card.get('licence', 'Apache-2.0')}",
        "",
    ]
    training = [f"- {label}: {card[key]}" for key, label in _TRAINING.items() if key in card]
    if training or "command" in card:
        lines += ["## Training", ""]
        if command := card.get("command"):
            lines += ["```", str(command), "```", ""]
        if rung := card.get("rung"):
            training = [f"- Rung: {rung}", *training]
        lines += [*training, ""]
    if earlier := card.get("earlier"):
        lines += ["## Earlier stages", "", _descent(card), ""]
        lines += [line for number in range(1, len(earlier) + 1) for line in _stage(earlier, number)]
    if scores := card.get("scores"):
        lines += ["## Measured", "", "| Measure | Value |", "|---|---|"]
        lines += [f"| {name} | {_number(value)} |" for name, value in scores.items()]
        lines += [""]
    if failures := card.get("failures"):
        lines += ["## Where it fails", "", *_failures(failures)]
    if limits := card.get("limits"):
        lines += ["## Limits", "", *(f"- {limit}" for limit in limits), ""]
    details = {
        key: value
        for key, value in card.items()
        if key not in _SHOWN
        and key not in ("kind", "num_parameters", "weight_bytes", "storage_dtype", "format_version")
    }
    if details:
        lines += ["## Details", "", *(f"- {key}: {value}" for key, value in details.items()), ""]
    lines += ["## Files", "", "| File | SHA-256 |", "|---|---|"]
    lines += [f"| {name} | `{digest}` |" for name, digest in card["sha256"].items()]
    return "\n".join(lines) + "\n"


def write_card(folder: Path, card: Mapping[str, Any]) -> Path:
    """Write the card of the component in ``folder`` anew, as data and as Markdown; returns the
    former."""
    path = folder / "card.json"
    atomic_write(path, (json.dumps(card, indent=2, allow_nan=False) + "\n").encode())
    atomic_write(folder / "README.md", card_markdown(card).encode())
    return path


def _descent(card: Mapping[str, Any]) -> str:
    """How the stages belong together, in a sentence."""
    stages = [*card["earlier"], card]
    after = parents(stages, len(stages))
    if set(after) == {"first", "second"}:
        own = f"This is the mean of what stages {after['first']} and {after['second']} made"
    else:
        own = f"It was started from {_told(after, len(stages))}"
    if all("after" not in stage for stage in card["earlier"]):
        return f"{own}; each started from the one before."
    return f"{own}; each started from the one before, unless it says otherwise."


def _told(after: Mapping[str, int], number: int) -> str:
    """Stages by their numbers."""
    named = {part: place for part, place in after.items() if part != START}
    start = after.get(START)
    first = "" if start is None else f"stage {start}" if start < number - 1 else "the last of these"
    others = [f"{part} stage {place}" for part, place in named.items()]
    return ", ".join([*([first] if first else []), *others]) or "random weights"


def _stage(stages: Sequence[Stage], number: int) -> list[str]:
    stage = stages[number - 1]
    facts = [f"{label.lower()} {stage[k]}" for k, label in _TRAINING.items() if k in stage]
    if "rung" in stage:
        facts.insert(0, f"rung {stage['rung']} of a ladder")
    if "after" in stage:
        facts.insert(0, f"from {_told(parents(stages, number), number)}")
    lines = [f"{number}. {stage.get('recipe', 'stage')}: {'; '.join(facts)}", ""]
    return [*lines, "```", str(stage["command"]), "```", ""] if stage.get("command") else lines


def _failures(failures: Mapping[str, Any]) -> list[str]:
    lines = [str(failures["summary"]), ""]
    if picture := failures.get("picture"):
        lines += [f"![The worst cases]({picture})", ""]
    if table := failures.get("table"):
        head, *rest = ([str(cell).replace("|", "\\|") for cell in line] for line in table)
        lines += [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rest)]
        lines += [""]
    return [*lines, f"Found by `{failures['command']}`.", ""]


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
