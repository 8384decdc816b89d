"""The model card: a flat JSON object, and the README that people read.

Known keys, each optional, in the order they are shown: ``title``, ``summary``, ``command`` (how it
was trained), ``data``, ``steps``, ``samples``, ``hardware``, ``wall_time_s``, ``git_revision``,
``earlier`` (the stages that it was started from, oldest first, each with :data:`STAGE` facts),
``scores`` (name -> number), ``limits`` (list of sentences), ``licence``. Other keys are kept in
``card.json`` and shown under "Details".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TRAINING = {
    "data": "Data",
    "steps": "Steps",
    "samples": "Samples seen",
    "hardware": "Hardware",
    "wall_time_s": "Wall time (s)",
    "git_revision": "Revision",
}
STAGE = ("recipe", "command", "data", "steps", "samples", "wall_time_s", "hardware")
"""What a card says of an earlier stage."""
_SHOWN = {
    "title",
    "summary",
    "command",
    "earlier",
    "scores",
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
        lines += [*training, ""]
    if earlier := card.get("earlier"):
        lines += ["## Earlier stages", "", "It was started from the last of these.", ""]
        lines += [line for stage in earlier for line in _stage(stage)]
    if scores := card.get("scores"):
        lines += ["## Measured", "", "| Measure | Value |", "|---|---|"]
        lines += [f"| {name} | {_number(value)} |" for name, value in scores.items()]
        lines += [""]
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


def earlier_stages(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the card of a component that is started from ``card``'s says under ``earlier``."""
    return [*card.get("earlier", ()), {key: card[key] for key in STAGE if key in card}]


def _stage(stage: Mapping[str, Any]) -> list[str]:
    facts = [f"{_TRAINING[k].lower()} {stage[k]}" for k in STAGE if k in stage and k in _TRAINING]
    lines = [f"{stage.get('recipe', 'stage')}: {'; '.join(facts)}", ""]
    return [*lines, "```", str(stage["command"]), "```", ""] if stage.get("command") else lines


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
