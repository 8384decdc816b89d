"""Files that are damaged, or are not what they say, for the checks that need no pictures."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from omnireel.data.bench.coding import encode
from omnireel.data.bench.footage import Footage, good_clip
from omnireel.data.bench.run import Row
from omnireel.data.candidate import Candidate, Shot
from omnireel.data.checks import CHECKS, Check, Tier
from omnireel.data.checks.policy import ShotConfig
from omnireel.data.curate.reading import ReadShot, read_file
from omnireel.media import write_mp4
from omnireel.types import Audio, Clip

FILE_CHECKS: tuple[type[Check], ...] = tuple(
    check for check in CHECKS if check.tier is Tier.BASIC and not check.needs_frames
)


@dataclass(frozen=True, eq=False)
class Whole:
    """A sound file (``data``: MP4, H.264, AAC), and the clip in it."""

    footage: Footage
    data: bytes


@dataclass(frozen=True)
class Fault:
    """What can be wrong with a file. ``check`` is the one that must reject it; empty: none."""

    name: str
    check: str
    make: Callable[[Whole], bytes]


def file_rows(
    numbers: list[int], report: Callable[[int, int], None] = lambda done, total: None
) -> list[Row]:
    """A row for every fault of every good clip, and for the whole file."""
    rows: list[Row] = []
    for done, number in enumerate(numbers):
        report(done, len(numbers))
        footage = good_clip(number)
        whole = Whole(footage, with_tone(footage))
        for fault in FAULTS:
            scores = scores_of_file(fault.make(whole))
            bad = bool(fault.check)
            rows.append(Row(number, fault.name, fault.check, bad, 1.0, scores))
    report(len(numbers), len(numbers))
    return rows


def scores_of_file(data: bytes) -> dict[str, float | None]:
    """What the checks that need no pictures measure; a file that cannot be read has one score."""
    with tempfile.TemporaryDirectory(prefix="omnireel-bench-") as folder:
        path = Path(folder, "clip.mp4")
        path.write_bytes(data)
        shots: list[ReadShot] = []
        facts = read_file(path, ShotConfig(split=False), shots.append)
        candidate = Candidate("clip", path, "", facts, shots[0].shot if shots else Shot())
        found = {check.name: check().measure(candidate) for check in FILE_CHECKS}
    if not shots:
        return {name: m.score if m and name == "readable" else None for name, m in found.items()}
    return {name: m.score if m else None for name, m in found.items()}


def with_tone(footage: Footage) -> bytes:
    """The clip as MP4 with a tone of its length."""
    seconds = len(footage.frames) / footage.fps
    tone = np.sin(np.arange(int(seconds * 24_000)) * 0.12).astype(np.float32)[None] / 4
    return write_mp4(Clip(footage.frames, footage.fps, Audio(tone, 24_000)))


def _cut_off(whole: Whole) -> bytes:
    return whole.data[: len(whole.data) * 2 // 3]


def _overwritten(whole: Whole) -> bytes:
    """Noise over a tenth of the pictures, in the middle."""
    damaged = bytearray(whole.data)
    with av.open(io.BytesIO(whole.data)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size and p.pos]
    noise = np.random.default_rng(0)
    first, few = len(packets) // 3, max(2, len(packets) // 10)
    for at, size in packets[first : first + few]:
        # The first bytes say how long a unit is and of what kind.
        damaged[at + 6 : at + size] = noise.bytes(max(0, size - 6))
    return bytes(damaged)


def _without_sound(whole: Whole) -> bytes:
    """Every packet of the sound overwritten by noise."""
    damaged = bytearray(whole.data)
    noise = np.random.default_rng(0)
    with av.open(io.BytesIO(whole.data)) as container:
        for packet in container.demux(audio=0):
            if packet.size and packet.pos is not None:
                damaged[packet.pos : packet.pos + packet.size] = noise.bytes(packet.size)
    return bytes(damaged)


def _longer(whole: Whole) -> bytes:
    """The same in Matroska, whose header (element 0x4489, a double) says four times the length."""
    target = io.BytesIO()
    with (
        av.open(io.BytesIO(whole.data)) as source,
        av.open(target, "w", format="matroska") as container,
    ):
        streams = {s.index: container.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                container.mux(packet)
    changed = bytearray(target.getvalue())
    at = changed.index(b"\x44\x89\x88") + 3
    (duration,) = struct.unpack_from(">d", changed, at)
    struct.pack_into(">d", changed, at, 4 * duration)
    return bytes(changed)


def _frames(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Whole], bytes]:
    def make(whole: Whole) -> bytes:
        return encode(change(whole.footage.frames), whole.footage.fps, "h264", None)

    return make


def _side_by_side(frames: np.ndarray) -> np.ndarray:
    """Three times as long along the longer side."""
    return np.concatenate([frames] * 3, axis=2 if frames.shape[2] > frames.shape[1] else 1)


def _slide_show(whole: Whole) -> bytes:
    return encode(whole.footage.frames[:8], 2.0, "h264", None)


FAULTS: tuple[Fault, ...] = (
    Fault("good", "", lambda whole: whole.data),
    Fault("no sound", "", _frames(lambda frames: frames)),
    Fault("cut off", "said_duration", _cut_off),
    Fault("index lost", "readable", lambda whole: whole.data.replace(b"moov", b"junk", 1)),
    Fault("empty", "readable", lambda whole: b""),
    Fault("text", "readable", lambda whole: b"This is not a video.\n" * 64),
    Fault("overwritten", "damage", _overwritten),
    Fault("duration lies", "said_duration", _longer),
    Fault("sound overwritten", "sound", _without_sound),
    Fault("tiny", "resolution", _frames(lambda frames: frames[:, ::4, ::4])),
    Fault("ribbon", "aspect", _frames(_side_by_side)),
    Fault("slide show", "frame_rate", _slide_show),
    Fault("three frames", "duration", _frames(lambda frames: frames[:3])),
)
"""In the order of the checks."""
