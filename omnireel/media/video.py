"""Video files -> frames and sound, by PyAV (FFmpeg).

1. `sniff` names the container by its first bytes; its demuxer is forced.
2. The header is checked against the limits before a frame is decoded, and the decoder itself is
   told the largest frame, since a stream may change its size half-way.
3. Frames are counted, and their memory added up, while decoding: headers lie.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import av
import numpy as np
from av.sidedata.sidedata import Type

from omnireel.errors import InvalidInput
from omnireel.media.audio import AudioCollector
from omnireel.media.clock import LEAP_S, FrameClock
from omnireel.media.image import probe_animation, read_animation
from omnireel.media.limits import DecodeLimits, shrunk_size
from omnireel.media.sniff import FileKind, Sniffed, read_head, refuse, sniff
from omnireel.types import Clip, Frames, VideoFormat

_WANTED = "a video (MP4, MOV, MKV, WebM, AVI, GIF or animated WebP)"
_DEFAULT_FPS = 24.0
_MAX_FPS = 1000.0


def read_clip(
    source: bytes | Path,
    limits: DecodeLimits | None = None,
    *,
    field: str = "video",
    shrink_short_side: int | None = None,
    with_audio: bool = True,
) -> Clip:
    """Decode a video file.

    ``shrink_short_side`` scales frames down, while decoding, to that short side in pixels (never
    up), so that a phone's clip takes no more memory than the model needs. Rotation, mirroring and
    non-square pixels are applied; uneven frame times are made even at their mean rate.

    Raises:
        InvalidInput: another type of file, corrupt, no frames, or beyond ``limits``; names
            ``field`` and the remedy.
        NotFound: no such file.
    """
    limits = limits or DecodeLimits()
    found = sniff(read_head(source, limits, field))
    if found.kind is FileKind.ANIMATION:
        return read_animation(
            source, found, limits, field=field, shrink_short_side=shrink_short_side
        )
    with _opened(source, found, limits, field) as container:
        return _Decoding(container, limits, field, shrink_short_side, with_audio).run()


def probe_clip(
    source: bytes | Path, limits: DecodeLimits | None = None, *, field: str = "video"
) -> tuple[VideoFormat, bool]:
    """What `read_clip` would give, and whether it has sound: decoded, checked and not kept.

    Raises:
        InvalidInput, NotFound: what `read_clip` raises.
    """
    limits = limits or DecodeLimits()
    found = sniff(read_head(source, limits, field))
    if found.kind is FileKind.ANIMATION:
        return probe_animation(source, found, limits, field=field), False
    with _opened(source, found, limits, field) as container:
        return _Decoding(container, limits, field, None, with_audio=True, keep=False).probe()


@contextmanager
def _opened(
    source: bytes | Path, found: Sniffed, limits: DecodeLimits, field: str
) -> Iterator[av.container.InputContainer]:
    if found.kind is not FileKind.VIDEO:
        raise refuse(found, _WANTED, field)
    with closing(io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")) as file:
        try:
            with av.open(
                file,
                format=found.format,
                options=_decoder_bound(limits),
                io_open=_refuse_other_files,
                metadata_errors="replace",
            ) as container:
                yield container
        except av.error.FFmpegError as error:
            raise InvalidInput(
                f"{field} looks like {found.words} but cannot be decoded ({error.strerror}); it "
                "is damaged, cut off or of an unsupported codec, so export or upload it again",
                field=field,
            ) from error


class _Decoding:
    """One pass over one opened file."""

    def __init__(
        self,
        container: av.container.InputContainer,
        limits: DecodeLimits,
        field: str,
        shrink_short_side: int | None,
        with_audio: bool,
        *,
        keep: bool = True,
    ) -> None:
        if not container.streams.video:
            raise InvalidInput(f"{field} has no picture track; {_WANTED} is needed", field=field)
        self.container = container
        self.limits = limits
        self.field = field
        self.shrink = shrink_short_side
        self.stream = container.streams.video[0]
        sounds = container.streams.audio if with_audio else ()
        self.sound_stream = next((s for s in sounds if s.codec_context is not None), None)
        self.keep = keep
        self.frames: list[Frames] = []
        self.size: tuple[int, int] | None = None
        self.joinable = container.format.name == "mpegts"
        self.clock = FrameClock(LEAP_S) if self.joinable else FrameClock()
        self.times_s: list[float] = []
        self.mirrored = False

    def run(self) -> Clip:
        """The whole file."""
        sound = self._decode()
        fps = self._fps()
        frames_THWC = self._even(fps)
        audio = sound.finish(self.clock.start_s, len(frames_THWC) / fps) if sound else None
        return Clip(frames_THWC, fps=fps, audio=audio)

    def probe(self) -> tuple[VideoFormat, bool]:
        """What `run` would give, without its frames."""
        sound = self._decode()
        fps = self._fps()
        count = self._count(fps)
        assert self.size is not None
        has_audio = sound is not None and sound.finish(self.clock.start_s, count / fps) is not None
        return VideoFormat(*self.size, num_frames=count, fps=fps), has_audio

    def _decode(self) -> AudioCollector | None:
        self._check_header()
        self.stream.codec_context.options = _decoder_bound(self.limits)
        self.stream.thread_type = "AUTO"
        streams: list[av.stream.Stream] = [self.stream]
        sound = None
        if self.sound_stream is not None:
            sound = AudioCollector(self.sound_stream, self.limits.max_seconds)
            streams.append(self.sound_stream)
        for frame in self.container.decode(*streams):
            if isinstance(frame, av.VideoFrame):
                self._add(frame)
            elif sound is not None:
                sound.add(frame)
        if not self.times_s:
            raise InvalidInput(
                f"{self.field} has a picture track but no frames; export it again",
                field=self.field,
            )
        if sound is not None:
            sound.add(None)
        return sound

    def _check_header(self) -> None:
        context = self.stream.codec_context
        if context is None:
            raise InvalidInput(
                f"{self.field} uses a video codec that is not supported; export it as H.264",
                field=self.field,
            )
        self.limits.check_pixels(context.width, context.height, self.field)
        seconds = 0.0
        # Of joined recordings it is the last one's clock less the first one's: no length.
        if self.stream.duration and self.stream.time_base and not self.joinable:
            seconds = float(self.stream.duration * self.stream.time_base)
        self.limits.check_length(self.stream.frames, seconds, self.field)
        width, height = self._size(context.width, context.height)
        self.limits.check_memory(self.stream.frames, width, height, self.field)

    def _add(self, frame: av.VideoFrame) -> None:
        width, height = self._size(frame.width, frame.height)
        self.limits.check_pixels(width, height, self.field)
        count = len(self.times_s) + 1
        frame_s = 1 / self._nominal_fps()
        time_s = self.clock.read(frame.time, frame_s)
        self.limits.check_length(count, time_s + frame_s, self.field)
        self.limits.check_memory(count, width, height, self.field)
        if count == 1:
            # Once for the file: side data and its frame hold each other until garbage is collected.
            self.mirrored = _mirrored(frame)
        # A picture that is turned over is flipped left to right, then turned: the angle of the
        # matrix has half a turn for the flip.
        quarter_turns = (round(frame.rotation / 90) + 2 * self.mirrored) % 4
        seen = (width, height) if quarter_turns % 2 == 0 else (height, width)
        if self.size is not None and seen != self.size:
            raise InvalidInput(
                f"{self.field} changes its size at frame {count - 1}; export it with one size",
                field=self.field,
            )
        self.size = seen
        self.times_s.append(time_s)
        if self.keep:
            rgb = frame.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray()
            rgb = rgb[:, ::-1] if self.mirrored else rgb
            self.frames.append(np.ascontiguousarray(np.rot90(rgb, quarter_turns)))

    def _size(self, width: int, height: int) -> tuple[int, int]:
        """The size to decode to: square pixels, shrunk if asked for."""
        aspect = self.stream.sample_aspect_ratio or Fraction(1)
        if aspect > 0:
            width = max(1, round(width * aspect))
        return shrunk_size(width, height, self.shrink)

    def _nominal_fps(self) -> float:
        rate = self.stream.average_rate or self.stream.guessed_rate or 0
        return float(rate) if 0 < rate <= _MAX_FPS else _DEFAULT_FPS

    def _fps(self) -> float:
        """Frames per second, by the frames' own times where there are some."""
        span_s = self.times_s[-1]
        nominal = self._nominal_fps()
        if len(self.times_s) < 2 or span_s <= 0:
            return nominal
        measured = (len(self.times_s) - 1) / span_s
        return nominal if abs(measured / nominal - 1) < 0.02 else min(measured, _MAX_FPS)

    def _count(self, fps: float) -> int:
        """Frames on the even grid."""
        return min(round(self.times_s[-1] * fps) + 1, self.limits.max_frames)

    def _even(self, fps: float) -> Frames:
        """Frames on an even grid: each grid time shows the frame that was visible then."""
        grid_s = np.arange(self._count(fps)) / fps
        # Half a frame of slack, so that rounded container times stay the frames that they are.
        shown = np.searchsorted(self.times_s, grid_s + 0.5 / fps, side="right") - 1
        return np.stack([self.frames[i] for i in shown.clip(0, len(self.frames) - 1)])


def _mirrored(frame: av.VideoFrame) -> bool:
    """Whether the display matrix (rows ``a b u``, ``c d v``, ``x y w``) turns a picture over."""
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return False
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    return bool(a * d < b * c)


def _decoder_bound(limits: DecodeLimits) -> dict[str, str]:
    """Makes the decoder itself refuse larger frames, before it allocates them.

    A little above the limit, because coded sizes are rounded up to whole blocks.
    """
    return {"max_pixels": str(limits.max_pixels * 9 // 8 + 65_536)}


def _refuse_other_files(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    """Called when a demuxer wants to open something beside the given file."""
    raise InvalidInput("the video refers to other files; send it as one file", field="video")
