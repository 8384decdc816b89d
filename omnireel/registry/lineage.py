"""Where a version came from and what it became: a graph over all versions of all names.

Parents are recorded with each version, so walking back is reading and walking forward is the same
edges the other way round. Tags that someone edited into a circle are walked once and no further.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from omnireel.registry.tracking import DEFAULT_TRACKING_URI, mlflow_errors, not_found
from omnireel.registry.versions import ModelVersion, Registry


@dataclass(frozen=True)
class RunFacts:
    """The MLflow run that made a version. ``name`` is "" when the run was deleted."""

    run_id: str
    name: str = ""
    status: str = ""
    parent_run: str = ""
    """Name of the run above it, "" for none."""


@dataclass(frozen=True)
class Lineage:
    """A version, everything that it was made from, and everything that was made from it."""

    focus: str
    versions: Mapping[str, ModelVersion]
    """By reference, oldest first."""
    gone: tuple[str, ...] = ()
    """References that a version names as parents and that were deleted."""
    runs: Mapping[str, RunFacts] = field(default_factory=dict)
    """By run id."""

    def parents(self, ref: str) -> tuple[str, ...]:
        """References that ``ref`` was made from, deleted ones too."""
        return self.versions[ref].parents if ref in self.versions else ()

    def children(self, ref: str) -> tuple[str, ...]:
        """References that were made from ``ref``, as far as they are shown."""
        return tuple(v.ref for v in self.versions.values() if ref in v.parents)


def lineage_of(reference: str, *, tracking_uri: str = DEFAULT_TRACKING_URI) -> Lineage:
    """The lineage of a version; of a bare name, that of its newest version.

    Raises:
        NotFound: no such version; the message lists near ones.

    """
    registry = Registry.open(tracking_uri)
    if "@" in reference or "/" in reference or not registry.versions(reference):
        focus = registry.resolve(reference)
    else:
        focus = registry.named(reference)[-1]
    lineage = trace(registry.versions(), focus.ref)
    runs = {v.run_id for v in lineage.versions.values() if v.run_id}
    facts = {run_id: _run_facts(registry, run_id) for run_id in sorted(runs)}
    return Lineage(lineage.focus, lineage.versions, lineage.gone, facts)


def trace(versions: Sequence[ModelVersion], focus: str) -> Lineage:
    """The part of the graph that ``focus`` came from and became (not its cousins)."""
    by_ref = {version.ref: version for version in versions}
    back = made_from(versions, focus)
    children: dict[str, list[str]] = {}
    for version in versions:
        for parent in version.parents:
            children.setdefault(parent, []).append(version.ref)
    forward = _reach(focus, lambda ref: children.get(ref, ()))
    wanted = back | forward
    kept = {ref: version for ref, version in by_ref.items() if ref in wanted}
    named = {parent for version in kept.values() for parent in version.parents}
    # A child's other parents are not walked further, but are shown: it would not be without them.
    kept = {ref: v for ref, v in by_ref.items() if ref in kept or ref in named}
    gone = {p for v in kept.values() for p in v.parents if p not in by_ref}
    shown_gone = tuple(sorted(p for p in gone if p in named))
    return Lineage(focus, kept, shown_gone)


def made_from(versions: Sequence[ModelVersion], ref: str) -> set[str]:
    """References of a version, of its parents, of theirs, and so on."""
    parents = {version.ref: version.parents for version in versions}
    return _reach(ref, lambda ref: parents.get(ref, ()))


def _reach(start: str, following: Callable[[str], Sequence[str]]) -> set[str]:
    seen, waiting = {start}, [start]
    while waiting:
        for ref in following(waiting.pop()):
            if ref not in seen:
                seen.add(ref)
                waiting.append(ref)
    return seen


def _run_facts(registry: Registry, run_id: str) -> RunFacts:
    with mlflow_errors(registry.tracking_uri):
        try:
            run = registry.client.get_run(run_id)
            above = run.data.tags.get("mlflow.parentRunId", "")
            parent = registry.client.get_run(above).info.run_name if above else ""
        except Exception as error:
            if not_found(error):
                return RunFacts(run_id)
            raise
    return RunFacts(run_id, run.info.run_name or run_id[:8], run.info.status, parent or "")
