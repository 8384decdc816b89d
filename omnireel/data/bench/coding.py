"""Real codecs at several rates, through PyAV."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np

from omnireel.types import Frames


@dataclass(frozen=True)
class Codec:
    """An encoder of FFmpeg, its container, and how its quality is set."""

    encoder: str
    container: str
    qualities: tuple[int, ...]
    """Of its scale of constant quality (CRF; MPEG-4: the quantiser), from fine to coarse."""
    options: Mapping[str, str] = field(default_factory=dict)
    quality_option: str = "crf"


CODECS: Mapping[str, Codec] = {
    "h264": Codec("libx264", "mp4", (18, 30, 36, 40, 44, 48), {"preset": "veryfast"}),
    "hevc": Codec(
        "libx265", "mp4", (20, 32, 38, 42, 46, 50),
        {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:frame-threads=1"},
    ),
    "vp9": Codec(
        "libvpx-vp9", "webm", (24, 42, 50, 56, 60, 63),
        {"b": "0", "cpu-used": "8", "deadline": "realtime"},
    ),
    "av1": Codec(
        "libsvtav1", "mp4", (28, 45, 52, 57, 60, 63),
        {"preset": "12", "svtav1-params": "lp=1"},
    ),
    "mpeg4": Codec("mpeg4", "avi", (3, 8, 12, 18, 24, 31), {}, "qscale"),
}  # fmt: skip


@contextmanager
def _own_scheduling() -> Iterator[None]:
    """Give this thread its scheduling policy back.

    SVT-AV1, where the user may, makes the thread that opens it a real-time one and leaves it so:
    every thread started from it later would keep all others of the machine waiting.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def encode(frames: Frames, fps: float, codec: str = "h264", quality: int | None = None) -> bytes:
    """A file of ``frames`` (even sizes); ``quality`` is that codec's finest when left out."""
    chosen = CODECS[codec]
    quality = chosen.qualities[0] if quality is None else quality
    _, height, width, _ = frames.shape
    buffer = io.BytesIO()
    rate = Fraction(fps).limit_denominator(1001)
    with _own_scheduling(), av.open(buffer, "w", format=chosen.container) as container:
        options = dict(chosen.options)
        if chosen.quality_option == "crf":
            options["crf"] = str(quality)
        stream = container.add_stream(chosen.encoder, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.thread_count = 1
        if len(frames) < 3:
            # x265 takes its delay from the third frame; without one, decoding times are undefined.
            context.max_b_frames = 0
        if chosen.quality_option == "qscale":
            context.flags |= av.codec.context.Flags.qscale
            context.qmin = context.qmax = quality
        for i, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")
            picture = picture.reformat(format="yuv420p")
            picture.pts, picture.time_base = i, 1 / rate
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return buffer.getvalue()
