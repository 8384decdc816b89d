"""Versions and lineage on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from omnireel.registry.lineage import Lineage
from omnireel.registry.versions import CHAMPION, ModelVersion


def version_table(versions: Sequence[ModelVersion]) -> Table:
    """One line for each version."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("version", "kind", "aliases", "gate", "recipe", "hash", "registered"):
        table.add_column(title, no_wrap=True)
    for v in versions:
        table.add_row(
            v.ref,
            v.kind,
            ", ".join(v.aliases),
            _gate(v),
            v.recipe,
            v.content_hash[:12],
            f"{v.created:%Y-%m-%d %H:%M}",
            style="bold" if CHAMPION in v.aliases else "",
        )
    return table


def version_facts(version: ModelVersion) -> Table:
    """Everything that is known of one version."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    data = version.data + (f" (manifest {version.data_manifest})" if version.data_manifest else "")
    for title, value in (
        ("version", version.ref),
        ("kind", version.kind),
        ("aliases", ", ".join(version.aliases)),
        ("content", version.content_hash),
        ("weights", version.weights_hash),
        ("made from", ", ".join(version.parents)),
        ("data", data),
        ("run", version.run_id),
        ("recipe", version.recipe),
        ("revision", version.git_revision),
        ("registered", f"{version.created:%Y-%m-%d %H:%M:%S} UTC"),
        ("files", version.source),
        ("gate", version.gate),
        *(("", line) for line in version.gate_reasons),
    ):
        if value:
            table.add_row(title, value)
    return table


def version_json(version: ModelVersion) -> dict[str, Any]:
    """The same as JSON data."""
    return {**asdict(version), "ref": version.ref, "created": version.created.isoformat()}


def lineage_tree(lineage: Lineage) -> Tree:
    """Back to parents, data and runs, and forward to what was made; a version is told once."""
    tree = Tree(_line(lineage, lineage.focus))
    told = {lineage.focus}
    _facts(tree, lineage, lineage.focus)
    if parents := lineage.parents(lineage.focus):
        branch = tree.add(Text("made from", style="dim"))
        for ref in parents:
            _back(branch, lineage, ref, told)
    if children := lineage.children(lineage.focus):
        branch = tree.add(Text("became", style="dim"))
        for ref in children:
            _forward(branch, lineage, ref, told)
    return tree


def _back(branch: Tree, lineage: Lineage, ref: str, told: set[str]) -> None:
    below = branch.add(_line(lineage, ref, again=ref in told))
    if ref in told:
        return
    told.add(ref)
    _facts(below, lineage, ref)
    for parent in lineage.parents(ref):
        _back(below, lineage, parent, told)


def _forward(branch: Tree, lineage: Lineage, ref: str, told: set[str]) -> None:
    below = branch.add(_line(lineage, ref, again=ref in told))
    if ref in told:
        return
    told.add(ref)
    _facts(below, lineage, ref)
    for child in lineage.children(ref):
        _forward(below, lineage, child, told)


def _facts(branch: Tree, lineage: Lineage, ref: str) -> None:
    version = lineage.versions.get(ref)
    if version is None:
        return
    if version.data:
        digest = f" {version.data_manifest[:12]}" if version.data_manifest else ""
        branch.add(Text(f"data {version.data}{digest}", style="dim"))
    if run := lineage.runs.get(version.run_id):
        above = f" in {run.parent_run}" if run.parent_run else ""
        words = f"{run.name}{above}, {run.status.lower()}" if run.name else f"{run.run_id}, deleted"
        branch.add(Text(f"run {words}", style="dim"))


def _line(lineage: Lineage, ref: str, *, again: bool = False) -> Text:
    version = lineage.versions.get(ref)
    if version is None:
        return Text(f"{ref} (deleted)", style="dim")
    if again:
        return Text(f"{ref} (see above)", style="dim")
    aliases = "".join(f" @{alias}" for alias in version.aliases)
    facts = ", ".join(t for t in (version.kind, version.recipe, version.git_revision) if t)
    line = Text.assemble((ref, "bold"), (aliases, "yellow"), f"  {facts}")
    return line.append_text(Text("  ")).append_text(_gate(version)) if version.gate else line


def _gate(version: ModelVersion) -> Text:
    return Text(version.gate, style="green" if version.gate == "passed" else "red")
