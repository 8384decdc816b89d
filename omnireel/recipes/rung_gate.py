"""The gate between two rungs: whether a climb may go on from what the last one left.

It is not the gate before promotion (:mod:`omnireel.recipes.ladder_gates`): a rung may be worse than
the one before in many ways and still be the way up. It stops a climb that has fallen.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnireel.errors import NotFound
from omnireel.evaluate.gate import GateConfig, decide
from omnireel.evaluate.gate_scores import measure, read_results
from omnireel.recipes.ladder import Ladder, Rung
from omnireel.registry import verify
from omnireel.registry.verdict import GateVerdict, Reason


@dataclass(frozen=True)
class RungGate:
    """What is tolerated between a rung and the one that it started from."""

    rules: GateConfig = field(default_factory=lambda: GateConfig(no_worse={"mean": 0.2}, gsb=0.6))


def judge_rung(
    folder: Path, ladder: Ladder, name: str, gate: RungGate | None = None
) -> GateVerdict:
    """Judge a finished rung of the climb in ``folder``.

    1. Its component is whole, and what it logged last are numbers.
    2. When it and what it started from were scored (``--cases``) and it is not optional (the climb
       sets optional ones aside itself), it may not have lost more than the gate tolerates.

    Raises:
        NotFound: no such rung, or it is not finished.
        IntegrityError: its component is damaged.

    """
    rung = next((r for r in ladder.rungs if r.name == name), None)
    if rung is None:
        names = ", ".join(r.name for r in ladder.rungs)
        raise NotFound(f"the {ladder.size} ladder has no rung {name!r}: {names}")
    component = folder / name / "component"
    if not component.is_dir():
        raise NotFound(f"{folder} has no finished rung {name}; climb it first")
    card = verify(component)
    reasons = [_numbers(folder / name / "run" / "metrics.jsonl")]
    reasons += _against_start(folder, ladder, rung, (gate or RungGate()).rules)
    return GateVerdict(str(card["sha256"]), "", tuple(reasons))


def _numbers(path: Path) -> Reason:
    """Whether the last row of every kind is finite (others are written as text)."""
    if not path.is_file():
        raise NotFound(f"{path} is missing: the rung's run was deleted")
    last: dict[str, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["event"] in ("train", "validation"):
            last[row["event"]] = row
    wrong = sorted(
        f"{event} {name} is {value}"
        for event, row in last.items()
        for name, value in row.items()
        if name != "event" and not _finite(value)
    )
    if not last:
        return Reason(False, "nothing was logged")
    return Reason(not wrong, "; ".join(wrong[:3]) or "the last logged values are finite")


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _against_start(
    folder: Path, ladder: Ladder, rung: Rung, rules: GateConfig
) -> tuple[Reason, ...]:
    start = _started_from(folder, ladder, rung)
    paths = [folder / name / "results.json" for name in (rung.name, start) if name]
    if rung.optional or len(paths) < 2 or not all(path.is_file() for path in paths):
        return ()
    measured = measure(read_results(paths[0]), read_results(paths[1]))
    return decide(measured, rules, opponent=start).reasons


def _started_from(folder: Path, ladder: Ladder, rung: Rung) -> str:
    """Name of the rung whose component this one started from; not always ``rung.start``, which may
    have been set aside."""
    plan = json.loads((folder / rung.name / "plan.json").read_text(encoding="utf-8"))
    wanted = plan["stands_on"].get("reference")
    for other in ladder.rungs:
        component = folder / other.name / "component"
        if wanted and component.is_dir() and verify(component)["sha256"] == wanted:
            return other.name
    return ""
