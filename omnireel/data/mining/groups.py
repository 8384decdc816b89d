"""Pairs and groups of files that share a subject.

Every file asks an approximate index (HNSW: Malkov and Yashunin, arXiv 1603.09320, in faiss) for its
nearest subjects. Two are a pair when each is among the nearest of the other and they are alike
enough; files that look the same altogether are copies, and only the first of them takes part.
Groups grow along pairs from the surest to the least sure, and take a file in only when it is alike
to all that are in it, so that chains of doubtful pairs join nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt

from omnireel.data.mining.vectors import F32, Vectors, fingerprint
from omnireel.errors import InvalidInput

_LINKS = 32
_EFFORT = 128


@dataclass(frozen=True)
class MiningConfig:
    """``similarity``: cosine of subjects from which two files show the same one. ``copies``: mean
    difference of looks (0 to 1) below which two files are copies."""

    similarity: float = 0.8
    copies: float = 0.02
    neighbours: int = 20

    def __post_init__(self) -> None:
        if not -1 <= self.similarity <= 1:
            raise InvalidInput("similarity is a cosine, -1 to 1", field="similarity")
        if not 0 <= self.copies <= 1:
            raise InvalidInput("copies is a difference, 0 to 1", field="copies")
        if self.neighbours < 1:
            raise InvalidInput("neighbours must be 1 or more", field="neighbours")


@dataclass(frozen=True)
class SharedPair:
    """Two files by index, and the cosine of their subjects."""

    one: int
    other: int
    similarity: float


@dataclass(frozen=True)
class SubjectGroup:
    """Files by index that show one subject; ``similarity`` is that of the least alike two."""

    key: str
    members: tuple[int, ...]
    similarity: float


def find_pairs(
    vectors: Vectors, config: MiningConfig
) -> tuple[list[SharedPair], Mapping[int, int]]:
    """Pairs, the surest first, and copies: index of a file -> that of the one it copies."""
    count = len(vectors.names)
    copies = _copies(vectors, config)
    use = np.array([i for i in range(count) if i not in copies])
    if len(use) < 2:
        return [], copies
    near = nearest(vectors.subjects_NS[use], config.neighbours)
    mutual = [set(row.tolist()) for row in near]
    subjects = vectors.subjects_NS[use]
    pairs = []
    for i, row in enumerate(near):
        for j in row.tolist():
            if j > i and i in mutual[j]:
                alike = float(subjects[i] @ subjects[j])
                if alike >= config.similarity:
                    pairs.append(SharedPair(int(use[i]), int(use[j]), alike))
    return sorted(pairs, key=lambda p: (-p.similarity, p.one, p.other)), copies


def find_groups(
    vectors: Vectors, pairs: list[SharedPair], config: MiningConfig
) -> list[SubjectGroup]:
    """Groups of two files and more; every two members are alike enough."""
    member: dict[int, list[int]] = {}
    subjects = vectors.subjects_NS
    for pair in pairs:
        one, other = member.get(pair.one, [pair.one]), member.get(pair.other, [pair.other])
        if one is other:
            continue
        alike = subjects[one] @ subjects[other].T
        if float(alike.min()) >= config.similarity:
            joined = one + other
            member |= dict.fromkeys(joined, joined)
    found = []
    for group in {id(g): g for g in member.values()}.values():
        members = tuple(sorted(group))
        alike = subjects[list(members)] @ subjects[list(members)].T
        key = fingerprint([vectors.hashes[i] for i in members])
        found.append(SubjectGroup(key, members, float(alike.min())))
    return sorted(found, key=lambda g: (-len(g.members), g.members))


def nearest(vectors_NE: F32, count: int) -> npt.NDArray[np.int64]:
    """Indices ``NK`` of the nearest others by cosine, found approximately; -1 where there are none.

    Built in one thread and in order, so equal vectors give equal answers.
    """
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        index = faiss.IndexHNSWFlat(vectors_NE.shape[1], _LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = index.hnsw.efSearch = max(_EFFORT, 2 * count)
        data = np.ascontiguousarray(vectors_NE, np.float32)
        index.add(data)
        _, found = index.search(data, count + 1)
    finally:
        faiss.omp_set_num_threads(threads)
    rows = np.full((len(data), count), -1, np.int64)
    for i, row in enumerate(found):
        others = [j for j in row.tolist() if j not in (i, -1)][:count]
        rows[i, : len(others)] = others
    return rows


def _copies(vectors: Vectors, config: MiningConfig) -> dict[int, int]:
    """Files with equal bytes, or that look the same in all three moments."""
    first: dict[str, int] = {}
    copies: dict[int, int] = {}
    for i, digest in enumerate(vectors.hashes):
        if digest in first:
            copies[i] = first[digest]
        else:
            first[digest] = i
    looks = vectors.looks_NP - vectors.looks_NP.mean(0)
    looks = looks / np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-6)
    for i, row in enumerate(nearest(looks.astype(np.float32), min(10, len(looks) - 1) or 1)):
        for j in row.tolist():
            if j < 0 or j >= i or i in copies:
                continue
            apart = float(np.abs(vectors.looks_NP[i] - vectors.looks_NP[j]).mean())
            if apart < config.copies:
                copies[i] = copies.get(j, j)
    return copies
