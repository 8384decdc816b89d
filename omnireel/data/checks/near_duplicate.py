"""Clips that show the same: found by codes of their pictures, confirmed by their order in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, NearDuplicates, Pair, Tier
from omnireel.data.checks.thresholds import standard
from omnireel.data.dedup.alignment import similarity
from omnireel.data.dedup.fingerprint import Fingerprint, fingerprint, mirrored
from omnireel.data.dedup.hamming import HammingIndex

MIN_MATCHES = 3
"""Pictures of a clip that must be found in the other; fewer only in clips that have fewer."""


class NearDuplicate(NearDuplicates):
    """A clip in, or equal to, another one after re-encoding, rescaling, cropping, mirroring, a
    change of speed, bars or a logo.
    """

    name, tier, version = "near_duplicate", Tier.BASIC, 4
    unit = "share of the shorter clip's pictures that the other shows in the same order"
    scale = Bounds(0, 1)
    standard = standard("near_duplicate")

    def fingerprint(self, candidate: Candidate) -> bytes:
        """About 700 bytes a second."""
        return fingerprint(candidate.frames).to_bytes() if candidate.frames is not None else b""

    def pairs(self, fingerprints: Iterable[tuple[str, bytes]], at_least: float) -> Iterator[Pair]:
        """In the order of the keys. Whole pictures are indexed; whole ones, parts, and both seen
        in a mirror are looked up, so a crop is found from the side of its original.
        """
        found = sorted((key, Fingerprint.from_bytes(data)) for key, data in fingerprints if data)
        library = Library([print_ for _, print_ in found])
        best: dict[tuple[int, int], float] = {}
        for one in range(len(found)):
            for other, likeness in library.like(one):
                if likeness >= at_least:
                    pair = (min(one, other), max(one, other))
                    best[pair] = max(best.get(pair, 0.0), likeness)
        for (one, other), likeness in sorted(best.items()):
            yield Pair(found[one][0], found[other][0], likeness)


class Library:
    """An index of the pictures of many clips."""

    def __init__(self, clips: list[Fingerprint]) -> None:
        self.clips = clips
        counts = [len(clip.whole_N) for clip in clips]
        self._owner = np.repeat(np.arange(len(clips)), counts)
        self._times = np.concatenate([np.zeros(0, np.float32), *(c.times_N for c in clips)])
        self._index = HammingIndex(
            np.concatenate([np.zeros(0, np.uint64), *(c.whole_N for c in clips)])
        )

    def like(self, number: int) -> Iterator[tuple[int, float]]:
        """Other clips that may show the same as clip ``number``, and how surely."""
        clip = self.clips[number]
        if not len(clip.part_at_M):
            return
        whole_M = clip.whole_N[clip.part_at_M]
        codes_MP = np.concatenate([whole_M[:, None], clip.parts_MP], axis=1)
        times_M = clip.times_N[clip.part_at_M]
        asked = np.repeat(times_M, codes_MP.shape[1])
        matches = []
        for codes in (codes_MP.ravel(), mirrored(codes_MP.ravel())):
            query, entry, _ = self._index.search(codes)
            matches.append((self._owner[entry], asked[query], self._times[entry]))
        # What is seen in a mirror is another clip than what is not.
        for owners, ours, theirs in matches:
            for other in np.unique(owners[owners != number]).tolist():
                mine = owners == other
                needed = min(MIN_MATCHES, len(times_M), len(self.clips[other].whole_N))
                if len(np.unique(ours[mine])) < needed:
                    continue
                likeness = similarity(
                    ours[mine], theirs[mine], times_M, clip.seconds, self.clips[other].seconds
                )
                yield other, likeness
