"""How much may be decoded, checked before memory is taken and again while decoding."""

from __future__ import annotations

from dataclasses import dataclass

from omnireel.errors import InvalidInput

MIB = 1024 * 1024
_TIME_SLACK_S = 0.01  # containers round times, some to milliseconds


def shrunk_size(width: int, height: int, short_side: int | None) -> tuple[int, int]:
    """``(width, height)`` scaled so that its short side is at most ``short_side`` (None: as is)."""
    short = min(width, height)
    if short_side is None or short <= short_side:
        return width, height
    scale = short_side / short
    return max(1, round(width * scale)), max(1, round(height * scale))


@dataclass(frozen=True)
class DecodeLimits:
    """Bounds of one file. Headers can lie, so readers also count what really comes out.

    ``max_decoded_bytes`` bounds the memory of all frames together, after any shrinking that the
    reader was asked for (1 GiB: 160 frames of 1920x1080).
    """

    max_bytes: int = 256 * MIB
    max_pixels: int = 4096 * 2304
    max_frames: int = 900
    max_seconds: float = 60.0
    max_decoded_bytes: int = 1024 * MIB

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"DecodeLimits.{name} = {value} must be positive")

    def check_bytes(self, size: int, field: str) -> None:
        """Refuse an empty file or one of more than ``max_bytes``."""
        if size == 0:
            raise InvalidInput(f"{field} is empty (0 bytes); send the whole file", field=field)
        if size > self.max_bytes:
            raise InvalidInput(
                f"{field} has {size / MIB:.1f} MiB; {self.max_bytes / MIB:.1f} MiB at most, "
                "so compress or shorten it",
                field=field,
            )

    def check_pixels(self, width: int, height: int, field: str) -> None:
        """Refuse a frame without extent or of more than ``max_pixels``."""
        if width <= 0 or height <= 0:
            raise InvalidInput(
                f"{field} claims to be {width}x{height} pixels; export it again", field=field
            )
        if width * height > self.max_pixels:
            raise InvalidInput(
                f"{field} is {width}x{height} = {width * height} pixels; "
                f"{self.max_pixels} at most, so scale it down",
                field=field,
            )

    def check_length(self, frames: int, seconds: float, field: str) -> None:
        """Refuse more than ``max_frames`` or ``max_seconds``."""
        if frames > self.max_frames:
            raise InvalidInput(
                f"{field} has more than {self.max_frames} frames; cut it or lower its frame rate",
                field=field,
            )
        if seconds > self.max_seconds + _TIME_SLACK_S:
            raise InvalidInput(
                f"{field} lasts longer than {self.max_seconds:g} s; cut it", field=field
            )

    def check_memory(self, frames: int, width: int, height: int, field: str) -> None:
        """Refuse frames that together take more than ``max_decoded_bytes``."""
        if frames * width * height * 3 > self.max_decoded_bytes:
            raise InvalidInput(
                f"{field} takes more than {self.max_decoded_bytes / MIB:.0f} MiB decoded "
                f"({frames} frames of {width}x{height}); cut it or scale it down",
                field=field,
            )
