"""All 64-bit codes within a Hamming distance, without looking at most of them.

Multi-index hashing (Norouzi, Punjani and Fleet, "Fast Search in Hamming Space with Multi-Index
Hashing", 2012): codes that differ in 8 bits differ in at most 2 of one of three parts. Each
part has a table, in which the buckets of all keys within 2 bits are looked up. The result is exact,
and the same on every machine, which an approximate graph's is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint64]

RADIUS = 8
"""Bits; the most for which nothing is missed."""
_PART_BITS = (22, 21, 21)
_PART_RADIUS = 2
_CROWD = 2048
"""Entries of a bucket beyond which it is not looked at: pictures that half the world has, such as a
title card, would make every clip a neighbour of every other."""
_BATCH = 256

Hits = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint8]]
"""Index of the query, index of the entry, distance in bits."""


class HammingIndex:
    """A fixed set of codes. Memory: 20 bytes a code and 34 MB."""

    def __init__(self, codes_N: Codes) -> None:
        self.codes_N = np.ascontiguousarray(codes_N, np.uint64)
        self._tables = []
        shift = 0
        for bits in _PART_BITS:
            keys = _keys(self.codes_N, shift, bits)
            order = np.argsort(keys, kind="stable").astype(np.uint32)
            ends = np.cumsum(np.bincount(keys, minlength=1 << bits)).astype(np.uint32)
            self._tables.append((shift, bits, order, ends, _flips(bits)))
            shift += bits

    def __len__(self) -> int:
        return len(self.codes_N)

    def search(self, codes_Q: Codes, radius: int = RADIUS) -> Hits:
        """Every pair of a query and an entry within ``radius`` (8 at most), in order."""
        if not 0 <= radius <= RADIUS:
            raise ValueError(f"radius {radius} is outside of 0..{RADIUS}")
        found = list(self._batches(np.ascontiguousarray(codes_Q, np.uint64), radius))
        if not found:
            nothing = np.zeros(0, np.int64)
            return nothing, nothing, np.zeros(0, np.uint8)
        query, entry, distance = (np.concatenate(part) for part in zip(*found, strict=True))
        return query, entry, distance

    def _batches(self, codes_Q: Codes, radius: int) -> Iterator[Hits]:
        for start in range(0, len(codes_Q), _BATCH):
            codes = codes_Q[start : start + _BATCH]
            pairs = [self._in_table(codes, radius, *table) for table in self._tables]
            joined = np.unique(np.concatenate(pairs))  # a pair may lie close in several parts
            query, entry = np.divmod(joined, max(1, len(self)))
            distance = np.bitwise_count(codes[query] ^ self.codes_N[entry])
            yield query + start, entry, distance

    def _in_table(
        self,
        codes: Codes,
        radius: int,
        shift: int,
        bits: int,
        order: npt.NDArray[np.uint32],
        ends: npt.NDArray[np.uint32],
        flips: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.int64]:
        """Pairs ``query * N + entry``."""
        keys = _keys(codes, shift, bits)[:, None] ^ flips[None]
        end = ends[keys].astype(np.int64)
        begin = np.where(keys > 0, ends[np.maximum(keys, 1) - 1], 0).astype(np.int64)
        length = end - begin
        length[length > _CROWD] = 0
        query, bucket = np.nonzero(length)
        length, begin = length[query, bucket], begin[query, bucket]
        # The entries of all buckets one after the other.
        within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        entry = order[np.repeat(begin, length) + within].astype(np.int64)
        query = np.repeat(query, length)
        near = np.bitwise_count(codes[query] ^ self.codes_N[entry]) <= radius
        return np.asarray(query[near] * len(self) + entry[near], np.int64)


def _keys(codes: Codes, shift: int, bits: int) -> npt.NDArray[np.int64]:
    return ((codes >> np.uint64(shift)) & np.uint64((1 << bits) - 1)).astype(np.int64)


def _flips(bits: int) -> npt.NDArray[np.int64]:
    """Every way to invert up to two of ``bits`` bits."""
    ways = [0]
    for count in range(1, _PART_RADIUS + 1):
        ways += [sum(1 << b for b in which) for which in combinations(range(bits), count)]
    return np.array(ways, np.int64)
