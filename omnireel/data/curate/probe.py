"""A file's facts, gathered while its packets go by: what it says of itself, and what is there."""

from __future__ import annotations

from dataclasses import dataclass

import av

from omnireel.data.candidate import AudioFacts, FileFacts
from omnireel.types import MediaKind


@dataclass
class AudioProbe:
    """Counts the packets of a sound track, and whether they decode."""

    stream: av.AudioStream
    tick: tuple[int, int]
    """Unit of the packets' times as a fraction of a second: quicker than one, for many packets."""
    first_s: float | None = None
    end_s: float = 0.0
    broken: bool = False

    def add(self, packet: av.Packet) -> None:
        """Take the next packet of the track; the last one is empty."""
        if packet.size and packet.pts is not None:
            start = packet.pts * self.tick[0] / self.tick[1]
            self.first_s = start if self.first_s is None else self.first_s
            length = (packet.duration or 0) * self.tick[0] / self.tick[1]
            self.end_s = max(self.end_s, start + length)
        try:
            packet.decode()
        except av.error.FFmpegError:
            self.broken = True

    def facts(self) -> AudioFacts:
        """What was found."""
        context = self.stream.codec_context
        seconds = 0.0 if self.first_s is None else self.end_s - self.first_s
        return AudioFacts(
            codec=context.name,
            rate=context.sample_rate or 0,
            channels=context.channels or 0,
            seconds=round(seconds, 4),
            broken=self.broken or self.first_s is None,
        )


@dataclass
class PictureProbe:
    """Counts the packets of a picture track and what the decoder makes of them."""

    stream: av.VideoStream
    tick: tuple[int, int]
    """As for sound."""
    packets: int = 0
    decoded: int = 0
    corrupt: int = 0
    compressed_bytes: int = 0
    first_s: float | None = None
    last_s: float = 0.0
    last_length_s: float = 0.0
    size: tuple[int, int] = (0, 0)

    def packet(self, packet: av.Packet) -> float | None:
        """Take a packet that holds data; its time, if it has one."""
        self.packets += 1
        self.compressed_bytes += packet.size
        self.corrupt += bool(packet.is_corrupt)
        if packet.pts is None:
            return None
        time_s: float = packet.pts * self.tick[0] / self.tick[1]
        self.first_s = time_s if self.first_s is None else min(self.first_s, time_s)
        if time_s >= self.last_s or self.packets == 1:
            self.last_s = time_s
            self.last_length_s = (packet.duration or 0) * self.tick[0] / self.tick[1]
        return time_s

    def frame(self, frame: av.VideoFrame) -> None:
        """Take a decoded frame."""
        self.decoded += 1
        self.corrupt += bool(frame.is_corrupt)

    @property
    def fps(self) -> float:
        """Frames per second by the packets' times, else by the header."""
        span = self.last_s - (self.first_s or 0.0)
        if self.packets > 1 and span > 0:
            return (self.packets - 1) / span
        rate = self.stream.average_rate or self.stream.guessed_rate or 0
        return float(rate)

    @property
    def seen_s(self) -> float:
        """From the first picture to the end of the last."""
        if self.first_s is None:
            return 0.0
        fps = self.fps
        return self.last_s - self.first_s + (self.last_length_s or (1 / fps if fps else 0.0))

    def facts(
        self, container: str, size_bytes: int, said_s: float, audio: AudioProbe | None, error: str
    ) -> FileFacts:
        """Everything that was found."""
        width, height = self.size
        pixels = self.packets * width * height
        return FileFacts(
            kind=MediaKind.VIDEO,
            size_bytes=size_bytes,
            container=container,
            codec=self.stream.codec_context.name,
            width=width,
            height=height,
            fps=round(self.fps, 4),
            said_s=round(said_s, 4),
            seen_s=round(self.seen_s, 4),
            packets=self.packets,
            decoded=self.decoded,
            corrupt=self.corrupt,
            bits_per_pixel=round(8 * self.compressed_bytes / pixels, 6) if pixels else 0.0,
            audio=audio.facts() if audio else None,
            error=error,
        )
