"""Reading a file of which nobody said whether it is an image or a video."""

from __future__ import annotations

from pathlib import Path

from omnireel.media.image import count_pictures, read_image
from omnireel.media.limits import DecodeLimits
from omnireel.media.sniff import FileKind, read_head, sniff
from omnireel.media.video import read_clip
from omnireel.types import Clip, MediaKind


def read_media(
    source: bytes | Path,
    limits: DecodeLimits | None = None,
    *,
    field: str = "media",
    shrink_short_side: int | None = None,
) -> tuple[MediaKind, Clip]:
    """Decode an image or a video, whichever it is; a GIF or WebP of one picture is an image.

    Raises:
        InvalidInput: neither, corrupt, or beyond ``limits``; see `read_clip` and `read_image`.
        NotFound: no such file.
    """
    limits = limits or DecodeLimits()
    found = sniff(read_head(source, limits, field))
    is_image = found.kind is FileKind.IMAGE or (
        found.kind is FileKind.ANIMATION and count_pictures(source, found, limits, field) == 1
    )
    if is_image:
        return MediaKind.IMAGE, read_image(source, limits, field=field)
    return MediaKind.VIDEO, read_clip(
        source, limits, field=field, shrink_short_side=shrink_short_side
    )
