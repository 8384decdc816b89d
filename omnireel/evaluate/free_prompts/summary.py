"""From records to shares of facts that are shown, with intervals drawn by prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omnireel.evaluate.bootstrap import Interval, mean_interval
from omnireel.evaluate.free_prompts.prompts import GROUPS
from omnireel.evaluate.free_prompts.run import WORDINGS

Record = Mapping[str, Any]


def shown(record: Record, wording: str, group: str) -> list[bool]:
    """Whether each fact of a group is shown by the clip of a wording."""
    seen = record[wording]["seen"][group]
    return [value in seen for value in record["facts"].get(group, ())]


def summary_of(records: Sequence[Record]) -> dict[str, Any]:
    """Shares of facts shown by wording, all and by group, and what the enhancer adds."""
    facts = [
        (record["id"], group, [float(x) for x in answers])
        for record in records
        for group in GROUPS
        for answers in zip(*(shown(record, w, group) for w in WORDINGS), strict=True)
    ]
    ids = [name for name, _, _ in facts]
    found = [answers for _, _, answers in facts]
    return {
        "prompts": len(records),
        "facts": len(facts),
        "not_rewritten": sum(bool(record["fallback_reason"]) for record in records),
        **{w: _told(mean_interval([a[i] for a in found], ids)) for i, w in enumerate(WORDINGS)},
        "gain": _told(mean_interval([after - before for before, after, _ in found], ids)),
        "groups": {
            group: {
                "facts": len(of_group),
                **{w: _mean([a[i] for a in of_group]) for i, w in enumerate(WORDINGS)},
            }
            for group in GROUPS
            if (of_group := [answers for _, of, answers in facts if of == group])
        },
    }


def _told(found: Interval) -> list[float]:
    return [round(value, 4) for value in (found.estimate, found.low, found.high)]


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
