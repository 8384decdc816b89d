"""Which candidates show the same as another one, and which of them stays.

The same bytes are found before anything is decoded: only files of equal size are compared by hash.
Of near-duplicates the best stays. Candidates are taken from the best to the worst, and one goes
when it is too similar to one that stayed; so a chain of neighbours does not fall as a whole.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from omnireel.data.checks.base import NearDuplicates
from omnireel.data.curate.inputs import Inputs
from omnireel.data.curate.listing import Item
from omnireel.store.chunks import sha256_of

Quality = tuple[float, ...]
"""More is better, the first number first."""


def same_bytes(
    items: Sequence[Item],
    inputs: Inputs,
    known: Callable[[Item], str | None],
    found: Callable[[Item, str], None],
    report: Callable[[int, int], None],
) -> dict[str, str]:
    """Every file that is a copy of another one, and which that is.

    Of several equal files that with a caption stays, then the first by name. A file with companions
    is only a copy of one with the same words and companions.

    Args:
        items: all files.
        inputs: where they are.
        known: the hash of an item's content if it was worked out before.
        found: told every new one.
        report: told (hashed, to hash).

    """
    by_size: dict[tuple[int, ...], list[Item]] = defaultdict(list)
    for item in items:
        by_size[(item.entry.size, *(c.entry.size for c in item.companions))].append(item)
    rivals = [item for group in by_size.values() if len(group) > 1 for item in group]
    by_content: dict[str, list[Item]] = defaultdict(list)
    for number, item in enumerate(rivals):
        report(number, len(rivals))
        digest = known(item)
        if digest is None:
            digest = _digest(item, inputs)
            found(item, digest)
        by_content[digest].append(item)
    report(len(rivals), len(rivals))
    copies: dict[str, str] = {}
    for digest, group in by_content.items():
        if digest:
            best, *others = sorted(group, key=lambda i: (not i.caption.text, i.name))
            copies.update({other.name: best.name for other in others})
    return copies


def _digest(item: Item, inputs: Inputs) -> str:
    """Of the content, and of all that makes it another sample; empty: unreadable."""
    digest = hashlib.sha256()
    try:
        for name in (item.name, *(c.entry.name for c in item.companions)):
            with inputs.local(name) as path:
                digest.update(sha256_of(path).encode())
    except PermissionError:
        return ""
    if item.companions:
        digest.update(item.caption.text.encode())
        digest.update(repr([(c.name, c.role.value) for c in item.companions]).encode())
    return digest.hexdigest()


def near_copies(
    fingerprints: Iterable[tuple[str, bytes]],
    quality: Mapping[str, Quality],
    near: NearDuplicates,
    limit: float,
) -> dict[str, tuple[str, float]]:
    """Every candidate that is more similar than ``limit`` to a better one that stays."""
    neighbours: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for pair in near.pairs(fingerprints, limit):
        if pair.similarity > limit:
            neighbours[pair.one].append((pair.other, pair.similarity))
            neighbours[pair.other].append((pair.one, pair.similarity))
    copies: dict[str, tuple[str, float]] = {}
    stays: set[str] = set()
    for key in sorted(neighbours, key=lambda k: (*(-q for q in quality[k]), k)):
        near_ones = [(s, other) for other, s in neighbours[key] if other in stays]
        if near_ones:
            similarity, other = max(near_ones, key=lambda n: (n[0], n[1]))
            copies[key] = (other, similarity)
        else:
            stays.add(key)
    return copies
