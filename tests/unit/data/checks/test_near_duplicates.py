"""Fingerprints, their index, and pairs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnireel.data.checks.near_duplicate import NearDuplicate
from omnireel.data.dedup.alignment import similarity
from omnireel.data.dedup.fingerprint import Fingerprint, code, fingerprint, mirrored
from omnireel.data.dedup.hamming import HammingIndex
from omnireel.data.gray import gray_of
from omnireel.types import Frames
from tests.support.seen_frames import pan, scene, seen

CODES = st.lists(st.integers(0, 2**64 - 1), min_size=0, max_size=40)


@settings(max_examples=20, deadline=None)
@given(CODES, st.integers(0, 2**32), st.integers(0, 8))
def test_the_index_finds_exactly_what_a_scan_finds(
    entries: list[int], seed: int, radius: int
) -> None:
    rng = np.random.default_rng(seed)
    codes = np.array(entries, np.uint64)
    near = [c ^ sum(1 << int(b) for b in rng.choice(64, rng.integers(0, 12), False)) for c in codes]
    queries = np.array([*near, 5], np.uint64)
    query, entry, distance = HammingIndex(codes).search(queries, radius)
    apart = np.bitwise_count(queries[:, None] ^ codes[None])
    assert list(zip(query.tolist(), entry.tolist(), strict=True)) == [
        (int(q), int(e)) for q, e in np.argwhere(apart <= radius)
    ]
    assert (distance == apart[query, entry]).all()


def test_a_radius_that_would_miss_codes_is_refused() -> None:
    with pytest.raises(ValueError, match="radius 9"):
        HammingIndex(np.zeros(1, np.uint64)).search(np.zeros(1, np.uint64), 9)


def test_the_code_of_a_mirrored_picture_follows_from_that_of_the_picture() -> None:
    picture = gray_of(scene(1, 128, 128))
    there = np.array([code(picture[:, ::-1])], np.uint64)
    apart = np.bitwise_count(there ^ mirrored(np.array([code(picture)], np.uint64)))
    assert apart[0] <= 1  # rounding


def clip(seed: int, count: int = 24) -> Frames:
    return pan(scene(seed, 500), count, 5.0)


def test_a_fingerprint_comes_back_from_its_bytes() -> None:
    frames = seen(clip(1)).frames
    assert frames is not None
    there = fingerprint(frames)
    back = Fingerprint.from_bytes(there.to_bytes())
    assert back.seconds == there.seconds == 23 / 8
    for name in ("times_N", "whole_N", "part_at_M", "parts_MP"):
        np.testing.assert_array_equal(getattr(back, name), getattr(there, name))
    with pytest.raises(ValueError, match="no fingerprint"):
        Fingerprint.from_bytes(there.to_bytes()[:-1])


def prints(
    clips: dict[str, Frames], fps: dict[str, float] | None = None
) -> list[tuple[str, bytes]]:
    near = NearDuplicate()
    return [
        (name, near.fingerprint(seen(frames, fps=(fps or {}).get(name, 8.0))))
        for name, frames in clips.items()
    ]


def test_changed_copies_are_found_and_strangers_are_not() -> None:
    original = clip(2)
    rng = np.random.default_rng(0)
    noisy = (original + rng.normal(0, 6, original.shape)).clip(0, 255).astype(np.uint8)
    crop = original[:, 8:100, 14:172]
    clips = {
        "original": original,
        "noisy": noisy,
        "small": np.stack([cv2.resize(f, (96, 56), interpolation=cv2.INTER_AREA) for f in noisy]),
        "cropped": np.stack([cv2.resize(f, (192, 112)) for f in crop]),
        "mirrored": original[:, :, ::-1],
        "part": original[6:18],
        "fast": original,
        "barred": np.pad(original, ((0, 0), (16, 16), (0, 0), (0, 0))),
        **{f"stranger {seed}": clip(seed) for seed in range(20, 30)},
    }
    found = {
        (pair.one, pair.other) for pair in NearDuplicate().pairs(prints(clips, {"fast": 12.0}), 0.5)
    }
    copies = ("noisy", "small", "cropped", "mirrored", "part", "fast", "barred")
    assert {tuple(sorted(("original", name))) for name in copies} <= found
    assert not any("stranger" in name for pair in found for name in pair)


def test_the_same_pictures_in_another_order_are_not_the_same_clip() -> None:
    one = np.concatenate([clip(seed, 4) for seed in range(40, 46)])
    other = one.reshape(6, 4, *one.shape[1:])[::-1].reshape(one.shape)
    assert not list(NearDuplicate().pairs(prints({"one": one, "other": other}), 0.5))


def test_flat_frames_have_no_fingerprint() -> None:
    blank = np.full((8, 112, 192, 3), 20, np.uint8)
    assert not list(NearDuplicate().pairs(prints({"one": blank, "other": blank}), 0.1))


def test_alignment_follows_the_speed() -> None:
    ours = np.arange(0, 4, 0.5, dtype=np.float32)
    assert similarity(ours, ours * 1.5 + 2, ours, 4.0, 9.0) == 1.0
    shuffled = (ours * 1.5 + 2)[[3, 7, 1, 5, 0, 6, 2, 4]]
    assert similarity(ours, shuffled, ours, 4.0, 9.0) <= 0.5
