"""The gate before a release: one version of the registry against the bars of its part.

As at the top of a ladder (:mod:`omnireel.recipes.ladder_promotion`), but of a version that may have
been made anywhere: candidate and champion are fetched, measured on the same cases, and compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omnireel.errors import InvalidInput, NotFound
from omnireel.evaluate.gate import decide
from omnireel.evaluate.gate_scores import measure
from omnireel.recipes.ladder_gates import PartGate, build_gates
from omnireel.recipes.part_scores import MeasuredPart, part_results
from omnireel.registry.assembling import assemble
from omnireel.registry.tracking import DEFAULT_TRACKING_URI
from omnireel.registry.verdict import GateVerdict, Reason
from omnireel.registry.versions import ModelVersion, Registry


def judge_release(
    reference: str,
    size: str,
    folder: Path,
    *,
    smoke: bool = False,
    device: str = "cpu",
    tracking_uri: str = DEFAULT_TRACKING_URI,
    report: Callable[[str], None] = lambda what: None,
) -> GateVerdict:
    """Measure a version and the champion of its name; the verdict is about the two.

    Models and results lie in ``folder``; what was measured before is not measured again.

    Args:
        reference: the candidate.
        size: whose gates (:func:`omnireel.recipes.ladder_gates.build_gates`).
        folder: to work in.
        smoke: as few cases as the gates allow.
        device: that generators and super-resolvers run on.
        tracking_uri: MLflow's address.
        report: hears what is being measured.

    Raises:
        InvalidInput: its part has no gate.
        NotFound: no such version.

    """
    registry = Registry.open(tracking_uri)
    candidate = registry.resolve(reference)
    gate = next((g for g in build_gates(size, smoke=smoke) if g.part == candidate.kind), None)
    if gate is None:
        raise InvalidInput(f"there is no gate for a {candidate.kind}", field="reference")
    champion = registry.champion(candidate.name)
    if champion is not None and champion.number == candidate.number:
        champion = None  # it stands against its fixed bars alone
    own = _results(candidate, gate, folder / "candidate", device, tracking_uri, report)
    theirs = None
    if champion is not None:
        theirs = _results(champion, gate, folder / "champion", device, tracking_uri, report)
    return decide(measure(own, theirs), gate.rules)


def _results(
    version: ModelVersion,
    gate: PartGate,
    folder: Path,
    device: str,
    tracking_uri: str,
    report: Callable[[str], None],
) -> dict[str, Any]:
    model = folder / "model"
    parts = assemble(version.ref, model, tracking_uri=tracking_uri)
    vae = model / "vae" if any(part.kind == "vae" for part in parts) else None
    measured = MeasuredPart(gate.part, model / version.kind, vae, device)
    return part_results(measured, gate.cases, folder / "results.json", report)


def read_verdict(path: Path) -> GateVerdict:
    """A verdict that a command wrote (``--out`` of the gates).

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is another file.

    """
    if not path.is_file():
        raise NotFound(f"there is no verdict in {path}; make one with 'omnireel registry judge'")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        reasons = tuple(
            Reason(word == "passed", line)
            for word, _, line in (text.partition(": ") for text in data["reasons"])
        )
        return GateVerdict(str(data["candidate"]), str(data["opponent"]), reasons)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"{path} is not a verdict of a gate ({error!r})", field="verdict"
        ) from error
