"""One shot of a file as a file of its own: H.264 in MP4, frame by frame, without its sound.

The same file, shot and FFmpeg give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from omnireel.data.candidate import Shot
from omnireel.data.curate.inputs import open_inputs
from omnireel.errors import InvalidInput
from omnireel.files import atomic_path
from omnireel.media import DecodeLimits
from omnireel.media.sniff import read_head, sniff
from omnireel.media.write import Mp4Settings, choose_encoder
from omnireel.store.chunks import sha256_of

_BEAT_FRAMES = 16


@dataclass(frozen=True)
class CutTask:
    """What to cut out of which input file, and where to put it."""

    name: str
    shot: Shot
    target: Path


@dataclass(frozen=True)
class CutStage:
    """Makes the function that cuts; picklable. Its result is the new file's SHA-256."""

    address: str
    settings: Mp4Settings = Mp4Settings(preset="fast", threads=1)  # noqa: RUF009 - frozen

    def __call__(self) -> Callable[[CutTask, Callable[[], None]], bytes]:
        """Open the input."""
        inputs = open_inputs(self.address)

        def cut(task: CutTask, beat: Callable[[], None]) -> bytes:
            with inputs.local(task.name) as path, atomic_path(task.target) as partial:
                cut_shot(path, task.shot, partial, self.settings, beat)
                return sha256_of(partial).encode()

        return cut


def cut_shot(
    path: Path,
    shot: Shot,
    target: Path,
    settings: Mp4Settings | None = None,
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Write the frames of ``shot`` to ``target``.

    Raises:
        InvalidInput: there are none.

    """
    settings = settings or Mp4Settings(threads=1)
    found = sniff(read_head(path, DecodeLimits(max_bytes=1 << 40), "the file"))
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    encoder = choose_encoder().name
    with (
        path.open("rb") as file,
        av.open(file, format="gif" if found.format == "GIF" else found.format) as source,
        av.open(str(target), "w", format="mp4", options=options) as container,
    ):
        stream = source.streams.video[0]
        stream.thread_type = "NONE"
        rate = Fraction(stream.average_rate or 25).limit_denominator(1001)
        out: av.VideoStream | None = None
        for number, frame in enumerate(_frames(source, stream, shot)):
            if number % _BEAT_FRAMES == 0:
                beat()
            picture = _upright(frame, stream)
            if out is None:
                out = container.add_stream(encoder, rate=rate, options=_quality(encoder, settings))
                out.width, out.height, out.pix_fmt = picture.width, picture.height, "yuv420p"
                out.time_base = out.codec_context.time_base = stream.time_base
                out.codec_context.thread_count = settings.threads
                out.codec_context.flags |= av.codec.context.Flags.bitexact
                begin = frame.pts
            picture.pts, picture.time_base = frame.pts - begin, stream.time_base
            container.mux(out.encode(picture))
        if out is None:
            raise InvalidInput(f"there are no frames from {shot.start_s:g} to {shot.end_s:g} s")
        container.mux(out.encode(None))


def _quality(encoder: str, settings: Mp4Settings) -> dict[str, str]:
    if encoder != "libx264":
        return {}
    return {"crf": str(settings.crf), "preset": settings.preset}


def _frames(
    source: av.container.InputContainer, stream: av.VideoStream, shot: Shot
) -> Iterator[av.VideoFrame]:
    """The frames of a shot, whose times count from the file's first picture."""
    first_s = _first_s(source, stream)
    half = 0.5 / float(stream.average_rate or 25)
    source.seek(int((first_s + max(0.0, shot.start_s - half)) / stream.time_base), stream=stream)
    for frame in source.decode(stream):
        if frame.time is None:
            continue
        since_s = frame.time - first_s
        if since_s >= shot.end_s - half / 2:
            return
        if since_s >= shot.start_s - half:
            yield frame


def _first_s(source: av.container.InputContainer, stream: av.VideoStream) -> float:
    """The least time of the first packets, as `reading` counts it."""
    times = []
    for packet in source.demux(stream):
        if packet.pts is not None and packet.size:
            times.append(float(packet.pts * packet.time_base))
        if len(times) == 32:
            break
    source.seek(0)
    return min(times, default=0.0)


def _upright(frame: av.VideoFrame, stream: av.VideoStream) -> av.VideoFrame:
    """The picture as it is shown: square pixels, turned, even sides."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width = max(2, round(frame.width * aspect)) if aspect > 0 else frame.width
    turns = round(frame.rotation / 90) % 4
    if not turns:
        return frame.reformat(width // 2 * 2, frame.height // 2 * 2, "yuv420p")
    rgb = np.rot90(frame.reformat(width, frame.height, "rgb24").to_ndarray(), turns)
    height, width = (side // 2 * 2 for side in rgb.shape[:2])
    turned = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb[:height, :width]), "rgb24")
    return turned.reformat(format="yuv420p")
