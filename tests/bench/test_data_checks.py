"""What the checks of tier 2 cost beside decoding, and what finding near-duplicates costs.

Run with ``make bench``. Processor time of one thread, so that other work on the machine does not
count.
"""

from __future__ import annotations

import resource
import time
from pathlib import Path

import av
import cv2
import numpy as np

from omnireel.data.bench.filming import Filming, film
from omnireel.data.candidate import Candidate
from omnireel.data.checks import CHECKS, Check, Tier
from omnireel.data.checks.near_duplicate import NearDuplicate
from omnireel.data.checks.policy import ShotConfig
from omnireel.data.curate.reading import ReadShot, read_file
from omnireel.data.dedup.hamming import HammingIndex

CLIP = Filming(width=1280, height=720, fps=30.0, seconds=5.0, sway=0.02, things=2)
REPEATS = 3


def test_tier_two_against_decoding(tmp_path: Path) -> None:
    cv2.setNumThreads(1)
    path = _write(tmp_path / "clip.mp4")
    decode_s = min(_decode(path) for _ in range(REPEATS))
    seen: list[ReadShot] = []
    facts = read_file(path, ShotConfig(split=False), seen.append)
    checks = [check() for check in CHECKS if check.tier is Tier.TEMPORAL]
    near = NearDuplicate()

    def candidate() -> Candidate:
        # Frames of its own, so that nothing is left from the round before.
        frames = type(seen[0].frames)(**vars_of(seen[0].frames))
        return Candidate("clip", path, "", facts, frames=frames)

    costs = {check.name: _cost(check, candidate()) for check in checks}
    whole = min(_all(checks, candidate()) for _ in range(REPEATS))
    start = time.process_time()
    size = len(near.fingerprint(candidate()))
    print_s = time.process_time() - start
    print(f"\n{path.stat().st_size / 2**20:.1f} MiB; decoding all frames: {decode_s * 1e3:.0f} ms")
    print(f"working frames {len(seen[0].frames.times_s)}, details {len(seen[0].frames.details)}")
    print(f"tier 2: {whole * 1e3:.0f} ms = {whole / decode_s:.2f} of decoding")
    print(f"fingerprint: {print_s * 1e3:.0f} ms, {size} bytes")
    for name, cost in costs.items():
        print(f"  {name:<14} {cost * 1e3:6.1f} ms")


def test_a_million_fingerprints() -> None:
    rng = np.random.default_rng(0)
    for count in (10_000, 100_000, 1_000_000):
        codes = rng.integers(0, 2**64, count, np.uint64)
        start = time.process_time()
        index = HammingIndex(codes)
        built = time.process_time() - start
        queries = codes[:256] ^ np.uint64(0b1001_0110_1001)
        index.search(queries)
        start = time.process_time()
        query, entry, _ = index.search(queries)
        search = (time.process_time() - start) / len(queries)
        start = time.process_time()
        for code in queries[:16]:
            np.flatnonzero(np.bitwise_count(codes ^ code) <= 8)
        scan = (time.process_time() - start) / 16
        found = (query == entry).sum() / len(queries)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"\n{count} codes: built in {built:.2f} s; {search * 1e6:.0f} us a query "
            f"(scan {scan * 1e6:.0f} us), {found:.0%} found; process at most {peak:.0f} MiB"
        )


def vars_of(frames: object) -> dict[str, object]:
    """The fields of a frozen dataclass without what it has worked out since."""
    return {name: getattr(frames, name) for name in frames.__dataclass_fields__}  # type: ignore[attr-defined]


def _write(path: Path) -> Path:
    frames = film(np.random.default_rng(0), CLIP)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "21", "preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = CLIP.width, CLIP.height, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))
    return path


def _decode(path: Path) -> float:
    start = time.process_time()
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        for _ in container.decode(video=0):
            pass
    return time.process_time() - start


def _cost(check: Check, candidate: Candidate) -> float:
    start = time.process_time()
    check.measure(candidate)
    return time.process_time() - start


def _all(checks: list[Check], candidate: Candidate) -> float:
    start = time.process_time()
    for check in checks:
        check.measure(candidate)
    return time.process_time() - start
