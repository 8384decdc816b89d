"""Places for the nodes of a lineage: columns by generation, few crossings.

The layered method of Sugiyama, Tagawa and Toda (1981): a node's column is the length of the longest
way to it, edges over several columns get a bend in each, and columns are ordered by the mean place
of their neighbours, forward and backward in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 6


@dataclass(frozen=True)
class Node:
    """Something to be drawn: ``key`` is unique, ``height`` in pixels."""

    key: str
    height: float


@dataclass(frozen=True)
class LayoutConfig:
    """Pixels. ``bend``: the room that an edge takes where it passes a column."""

    width: float = 264.0
    column_gap: float = 84.0
    row_gap: float = 26.0
    bend: float = 14.0
    margin: float = 36.0


@dataclass(frozen=True)
class Layout:
    """Upper left corners by node, and for each edge the points that it passes, both ends too."""

    width: float
    height: float
    corners: Mapping[str, tuple[float, float]]
    edges: Mapping[tuple[str, str], tuple[tuple[float, float], ...]]


def layout(
    nodes: Sequence[Node],
    edges: Sequence[tuple[str, str]],
    config: LayoutConfig | None = None,
) -> Layout:
    """Arrange ``nodes`` with ``edges`` (from, to) from left to right."""
    config = config or LayoutConfig()
    heights = {node.key: node.height for node in nodes}
    columns = _columns([node.key for node in nodes], edges)
    chains, levels = _with_bends(columns, edges)
    for bend in (key for level in levels for key in level if key not in heights):
        heights[bend] = config.bend
    _order(levels, chains)
    tops, height = _tops(levels, heights, config)
    lefts = [config.margin + i * (config.width + config.column_gap) for i in range(len(levels))]
    place = {key: lefts[i] for i, level in enumerate(levels) for key in level}

    def passes(chain: Sequence[str]) -> tuple[tuple[float, float], ...]:
        middle = {key: tops[key] + heights[key] / 2 for key in chain}
        points = [(place[chain[0]] + config.width, middle[chain[0]])]
        for bend in chain[1:-1]:  # straight through the column
            points += [(place[bend], middle[bend]), (place[bend] + config.width, middle[bend])]
        return (*points, (place[chain[-1]], middle[chain[-1]]))

    return Layout(
        width=2 * config.margin
        + len(levels) * (config.width + config.column_gap)
        - config.column_gap,
        height=height,
        corners={node.key: (place[node.key], tops[node.key]) for node in nodes},
        edges={edge: passes(chain) for edge, chain in chains.items()},
    )


def _columns(keys: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Longest way to each node; in a circle, no further than there are nodes."""
    column = dict.fromkeys(keys, 0)
    for _ in keys:
        moved = False
        for before, after in edges:
            if column[after] <= column[before] < len(keys) - 1:
                column[after] = column[before] + 1
                moved = True
        if not moved:
            break
    # Sources move next to what they feed, so that their edges are short.
    fed_by = {after for _, after in edges}
    for key in keys:
        targets = [column[after] for before, after in edges if before == key]
        if key not in fed_by and targets:
            column[key] = max(0, min(targets) - 1)
    used = sorted(set(column.values()))
    return {key: used.index(value) for key, value in column.items()}


def _with_bends(
    columns: Mapping[str, int], edges: Sequence[tuple[str, str]]
) -> tuple[dict[tuple[str, str], list[str]], list[list[str]]]:
    levels: list[list[str]] = [[] for _ in range(max(columns.values(), default=0) + 1)]
    for key, column in columns.items():
        levels[column].append(key)
    chains = {}
    for before, after in edges:
        chain = [before]
        for column in range(columns[before] + 1, columns[after]):
            bend = f"{before}>{after}:{column}"
            levels[column].append(bend)
            chain.append(bend)
        chains[before, after] = [*chain, after]
    return chains, levels


def _order(levels: list[list[str]], chains: Mapping[tuple[str, str], Sequence[str]]) -> None:
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for chain in chains.values():
        for left, right in pairwise(chain):
            before.setdefault(right, []).append(left)
            after.setdefault(left, []).append(right)
    for sweep in range(SWEEPS):
        neighbours, run = (before, levels[1:]) if sweep % 2 == 0 else (after, levels[-2::-1])
        for level in run:
            place = {key: i / len(row) for row in levels for i, key in enumerate(row)}

            def mean(
                key: str,
                place: Mapping[str, float] = place,
                near: Mapping[str, list[str]] = neighbours,
            ) -> float:
                found = [place[n] for n in near.get(key, [])]
                return sum(found) / len(found) if found else place[key]

            level.sort(key=mean)


def _tops(
    levels: Sequence[Sequence[str]], heights: Mapping[str, float], config: LayoutConfig
) -> tuple[dict[str, float], float]:
    """Upper edges, each column centred, and the height of the whole."""
    sizes = [
        sum(heights[key] for key in level) + config.row_gap * (len(level) - 1) for level in levels
    ]
    tallest = max(sizes)
    tops = {}
    for level, size in zip(levels, sizes, strict=True):
        y = config.margin + (tallest - size) / 2
        for key in level:
            tops[key] = y
            y += heights[key] + config.row_gap
    return tops, tallest + 2 * config.margin
