"""The top of a ladder: each part is gated, and promoted when it passes.

For the last rung of every gated part:

1. It is measured on the gate's cases, and so are the champion of its name (fetched from the
   registry with the autoencoder that its lineage names) and its teacher.
2. The gate decides; its verdict is written to the version as tags, passed or not.
3. ``champion`` moves only when every bar holds (:mod:`omnireel.registry.promotion`).

Results lie in ``<out>/gate``; what was measured before is not measured again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnireel.errors import FailedPrecondition, OmnireelError
from omnireel.evaluate.gate import decide
from omnireel.evaluate.gate_scores import measure
from omnireel.recipes.climb import RungResult
from omnireel.recipes.ladder_gates import PartGate
from omnireel.recipes.part_scores import MeasuredPart, part_results
from omnireel.registry.promotion import promote
from omnireel.registry.publishing import fetch
from omnireel.registry.verdict import GateVerdict, Reason
from omnireel.registry.versions import ModelVersion, Registry


@dataclass(frozen=True, eq=False)
class PartOutcome:
    """How the top of a ladder ended for one part."""

    version: ModelVersion
    verdict: GateVerdict | None
    """None: it was champion before, with nothing to decide."""
    promoted: bool
    """It is champion now."""
    previous: str = ""
    """Reference of the champion before it; of the one that stays when it was refused."""
    obstacle: str = ""
    """Why it was not promoted although the gate passed it."""


def promote_parts(
    results: Sequence[RungResult],
    versions: Mapping[str, ModelVersion],
    gates: Sequence[PartGate],
    folder: Path,
    tracking_uri: str,
    report: Callable[[str], None] = lambda what: None,
) -> list[PartOutcome]:
    """Gate and promote what a climb to the top has left.

    Args:
        results: every rung.
        versions: the registered version of each rung, by name.
        gates: bars of the parts; one whose part no rung makes is passed over.
        folder: for results and for champions that are fetched.
        tracking_uri: MLflow's address.
        report: hears what is being measured.

    """
    judge = _Judge(results, versions, folder, tracking_uri, report)
    parts = {result.rung.part for result in results}
    return [judge.outcome(gate) for gate in gates if gate.part in parts]


@dataclass(frozen=True, eq=False)
class _Judge:
    results: Sequence[RungResult]
    versions: Mapping[str, ModelVersion]
    folder: Path
    tracking_uri: str
    report: Callable[[str], None]

    def outcome(self, gate: PartGate) -> PartOutcome:
        last = [r for r in self.results if r.rung.part == gate.part and r.kept][-1]
        version = self.versions[last.rung.name]
        champion = Registry.open(self.tracking_uri).champion(version.name)
        if champion is not None and champion.content_hash == version.content_hash:
            return PartOutcome(champion, None, promoted=True)
        before = champion.ref if champion else ""
        verdict = self._verdict(gate, last, champion)
        try:
            done = promote(version.ref, verdict, tracking_uri=self.tracking_uri)
        except FailedPrecondition as refusal:
            # Without a fault of the verdict something else stands in the way.
            obstacle = refusal.message if verdict.passed else ""
            return PartOutcome(version, verdict, promoted=False, previous=before, obstacle=obstacle)
        previous = done.previous.ref if done.previous else ""
        return PartOutcome(done.version, verdict, promoted=True, previous=previous)

    def _verdict(
        self, gate: PartGate, last: RungResult, champion: ModelVersion | None
    ) -> GateVerdict:
        own = self._of_rung(gate, last)
        measured = measure(own, None)
        reasons: list[Reason] = []
        if champion is not None:
            try:
                measured = measure(own, self._of_champion(gate, last, champion))
            except OmnireelError as error:
                line = f"the champion {champion.ref} could not be compared with: {error.message}"
                reasons.append(Reason(False, line))
        verdict = decide(measured, gate.rules)
        reasons += verdict.reasons
        if last.rung.teacher and gate.teacher is not None:
            teacher = next(r for r in self.results if r.rung.name == last.rung.teacher)
            compared = measure(own, self._of_rung(gate, teacher))
            reasons += decide(compared, gate.teacher, opponent="teacher").reasons
        return GateVerdict(verdict.candidate, verdict.champion, tuple(reasons))

    def _of_rung(self, gate: PartGate, result: RungResult) -> dict[str, Any]:
        measured = MeasuredPart(gate.part, result.component, result.stands_on.get("vae"))
        return part_results(
            measured, gate.cases, self.folder / f"{result.rung.name}.json", self.report
        )

    def _of_champion(
        self, gate: PartGate, last: RungResult, champion: ModelVersion
    ) -> dict[str, Any]:
        registry = Registry.open(self.tracking_uri)
        home = self.folder / "champions" / champion.ref.replace("/", "-")
        fetch(champion.ref, home / "component", tracking_uri=self.tracking_uri)
        vae = last.stands_on.get("vae")
        for parent in map(registry.resolve, champion.parents):
            if parent.kind == "vae":
                vae = home / "vae"
                fetch(parent.ref, vae, tracking_uri=self.tracking_uri)
        measured = MeasuredPart(gate.part, home / "component", vae)
        return part_results(measured, gate.cases, home / "results.json", self.report)
