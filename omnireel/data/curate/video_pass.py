"""One pass over a video: all packets are read, few pictures are decoded, shots end as they come.

1. All packets are read, so that truncation, wrong durations and broken sound show.
2. Of the pictures only those are decoded that are needed: codecs of key frames only decode one
   packet of each eighth of a second; the others leave out frames that no other frame refers to
   (``skip_frame``), except in short bursts that are decoded whole.
3. A frame of each eighth of a second is shrunk to the working size; a cut, or a shot's greatest
   length, ends the shot, which is handed on at once. Memory is that of one shot's frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import av

from omnireel.data.candidate import (
    BURST_FRAMES,
    FRAMES_PER_SECOND,
    FileFacts,
    SampledFrames,
    Shot,
)
from omnireel.data.checks.policy import ShotConfig
from omnireel.data.curate.open_shot import OpenShot
from omnireel.data.curate.probe import AudioProbe, PictureProbe
from omnireel.data.curate.scaling import FrameScaler
from omnireel.data.curate.shots import CutFinder
from omnireel.data.pictures import Coded
from omnireel.errors import InvalidInput, OmnireelError
from omnireel.media import DecodeLimits


@dataclass(frozen=True)
class ReadConfig:
    """Bounds of one file, and the rhythm of what is looked at."""

    limits: DecodeLimits = DecodeLimits(  # noqa: RUF009 - frozen
        max_bytes=64 << 30, max_pixels=8192 * 4352, max_frames=2_000_000, max_seconds=21_600
    )
    bursts_every_s: float = 2.5
    first_burst_s: float = 0.5
    details_every_s: float = 1.5


@dataclass(frozen=True, eq=False)
class ReadShot:
    """One shot, its frames, and the facts of the file as far as it has been read."""

    shot: Shot
    frames: SampledFrames
    facts: FileFacts


def words_of(error: Exception) -> str:
    """What went wrong, without the path of a file that may be a passing copy."""
    if isinstance(error, av.error.InvalidDataError):
        return "it is cut off or damaged: FFmpeg cannot make sense of it"
    return str(getattr(error, "strerror", None) or error)


class VideoPass:
    """The state of one pass over one video."""

    def __init__(
        self,
        path: Path,
        demuxer: str,
        shots: ShotConfig,
        on_shot: Callable[[ReadShot], None],
        beat: Callable[[], None],
        config: ReadConfig,
    ) -> None:
        self.path, self.demuxer, self.shots = path, demuxer, shots
        self.on_shot, self.beat, self.config = on_shot, beat, config
        self.cuts = CutFinder(shots.cut)
        self.open: OpenShot | None = None
        self.num_shots = 0
        self.next_sample_s = 0.0
        self.sampled_s = 0.0
        self.last_s = 0.0
        self.error = ""
        self.scaler: FrameScaler | None = None

    def run(self) -> FileFacts:
        """The whole file."""
        limits = self.config.limits
        bound = {"max_pixels": str(limits.max_pixels * 9 // 8 + 65_536)}
        with (
            self.path.open("rb") as file,
            av.open(
                file,
                format=self.demuxer,
                options=bound,
                io_open=_refuse_other_files,
                metadata_errors="replace",
            ) as container,
        ):
            if not container.streams.video:
                raise InvalidInput("it has no picture track")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise InvalidInput("its video codec is not supported")
            limits.check_pixels(stream.codec_context.width, stream.codec_context.height, "the file")
            stream.codec_context.options = bound
            stream.thread_type = "NONE"
            self.picture = PictureProbe(stream, _tick(stream))
            sounds = [s for s in container.streams.audio if s.codec_context is not None]
            self.sound = AudioProbe(sounds[0], _tick(sounds[0])) if sounds else None
            self.said_s = _said_s(container, stream)
            self.size_bytes = self.path.stat().st_size
            try:
                self._packets(container, stream, self.sound)
            except (av.error.FFmpegError, OmnireelError) as error:
                self.error = words_of(error)
            self._end_shot(self.last_s + 1 / (self.picture.fps or FRAMES_PER_SECOND))
            if not self.picture.decoded and not self.error:
                self.error = "it has a picture track but no frames"
            return self._facts()

    def _facts(self) -> FileFacts:
        return self.picture.facts(
            self.demuxer, self.size_bytes, self.said_s, self.sound, self.error
        )

    def _packets(
        self,
        container: av.container.InputContainer,
        stream: av.VideoStream,
        sound: AudioProbe | None,
    ) -> None:
        intra_only = stream.codec_context.codec.intra_only
        taken_s, whole = -1.0, None
        wanted = [stream] if sound is None else [stream, sound.stream]
        for number, packet in enumerate(container.demux(*wanted)):
            if number % 256 == 0:
                self.beat()
            if sound is not None and packet.stream is sound.stream:
                sound.add(packet)
                continue
            if not packet.size:
                packets = self._decode(packet)
            else:
                time_s = self.picture.packet(packet)
                self.config.limits.check_length(
                    self.picture.packets, self.picture.seen_s, "the file"
                )
                since_s = None if time_s is None else time_s - (self.picture.first_s or 0.0)
                burst = since_s is None or self._in_burst(since_s)
                if intra_only and not burst and since_s is not None:
                    if since_s < taken_s + 0.9 / FRAMES_PER_SECOND:
                        continue
                    taken_s = since_s
                if burst != whole:
                    stream.codec_context.skip_frame = "DEFAULT" if burst else "NONREF"
                    whole = burst
                packets = self._decode(packet)
            for frame in packets:
                self._frame(frame)

    def _decode(self, packet: av.Packet) -> Iterator[av.VideoFrame]:
        try:
            yield from packet.decode()
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            self.picture.corrupt += 1

    def _in_burst(self, since_s: float) -> bool:
        """Whether a frame of this time belongs to a run that is decoded whole."""
        first, every = self.config.first_burst_s, self.config.bursts_every_s
        fps = self.picture.fps or 25.0
        return since_s >= first and (since_s - first) % every < (BURST_FRAMES + 0.5) / fps

    def _frame(self, frame: av.VideoFrame) -> None:
        picture = self.picture
        picture.frame(frame)
        if frame.time is None:
            time_s = (picture.decoded - 1) / (picture.fps or 25.0)
        else:
            time_s = frame.time - (picture.first_s or 0.0)
        if self.scaler is None:
            self.config.limits.check_pixels(frame.width, frame.height, "the file")
            self.scaler = FrameScaler(frame, picture.stream.sample_aspect_ratio)
            picture.size = self.scaler.shown
        self.last_s = max(self.last_s, time_s)
        in_burst = self._in_burst(time_s)
        sampled = time_s >= self.next_sample_s - 1e-6
        if not (in_burst or sampled):
            if self.open:
                self.open.end_burst()
            return
        if sampled:
            self.next_sample_s = max(
                self.next_sample_s + 1 / FRAMES_PER_SECOND, time_s + 0.5 / FRAMES_PER_SECOND
            )
            self._sample(time_s, self.scaler.working(frame), frame)
        assert self.open is not None
        if in_burst:
            self.open.burst.append((time_s, self.scaler.glance(frame)))
            if len(self.open.burst) == BURST_FRAMES:
                self.open.end_burst()
        else:
            self.open.end_burst()

    def _sample(self, time_s: float, small: Coded, frame: av.VideoFrame) -> None:
        """A frame of the even rhythm: the only ones at which shots end."""
        is_cut = self.shots.split and self.cuts.is_cut(small)
        if self.open and is_cut:
            # The cut lies between the two sampled frames; neither shot gets what is there.
            self._end_shot(self.sampled_s + 0.5 / (self.picture.fps or FRAMES_PER_SECOND))
        elif self.open and self.shots.split and self._is_long(time_s):
            self._end_shot(time_s)
        self.sampled_s = time_s
        if self.open is None:
            self.open = OpenShot(time_s, self.num_shots)
            self.num_shots += 1
        self.open.frames.add((time_s, small))
        if time_s >= self.open.next_detail_s:
            self.open.details.add((time_s, frame))
            self.open.next_detail_s = time_s + self.config.details_every_s

    def _is_long(self, time_s: float) -> bool:
        assert self.open is not None
        return time_s - self.open.start_s >= self.shots.max_seconds - 1e-6

    def _end_shot(self, end_s: float) -> None:
        shot, self.open = self.open, None
        if shot is None:
            return
        assert self.scaler is not None
        found = shot.sampled(self.scaler.full)
        so_far = self._facts()
        self.on_shot(ReadShot(Shot(shot.start_s, end_s, shot.index), found, so_far))


def _tick(stream: av.VideoStream | av.AudioStream) -> tuple[int, int]:
    return (stream.time_base or Fraction(0)).as_integer_ratio()


def _said_s(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """The duration in the header of the picture track, else of the file, seconds."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration else 0.0


def _refuse_other_files(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    """Called when a demuxer wants to open something beside the given file."""
    raise InvalidInput("it refers to other files")
