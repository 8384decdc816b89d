"""Still images and animated GIF / WebP -> frames, by Pillow."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from omnireel.errors import InvalidInput
from omnireel.media.limits import DecodeLimits, shrunk_size
from omnireel.media.sniff import FileKind, Sniffed, read_head, refuse, sniff
from omnireel.types import Clip, Frames, VideoFormat

_DEFAULT_FRAME_MS = 100
_JPEG_TIMES = 6
"""How many times the pixels of other files a JPEG may have: it is decoded to fewer at once."""
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    OverflowError,
    IndexError,
    TypeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def read_image(
    source: bytes | Path, limits: DecodeLimits | None = None, *, field: str = "image"
) -> Clip:
    """A PNG, JPEG, WebP or GIF still as a clip of one frame.

    The EXIF orientation is applied; transparency is laid over white; 16 bit becomes 8 bit. A JPEG
    of up to six times ``limits.max_pixels`` is decoded at the half or quarter that fits them.

    Raises:
        InvalidInput: another type of file, corrupt, an animation, or beyond ``limits``; names
            ``field`` and the remedy. The size is checked from the header, before decoding.
        NotFound: no such file.
    """
    limits = limits or DecodeLimits()
    found = sniff(read_head(source, limits, field))
    if found.kind not in (FileKind.IMAGE, FileKind.ANIMATION):
        raise refuse(found, "an image (PNG, JPEG or WebP)", field)
    with _opened(source, found, limits, field) as image:
        # Behind the picture of a JPEG, cameras put previews and depth maps (MPF).
        count = 1 if found.format == "JPEG" else getattr(image, "n_frames", 1)
        if count > 1:
            remedy = (
                "declare it as a video"
                if found.kind is FileKind.ANIMATION
                else "for a video convert it to GIF, WebP or MP4"
            )
            raise InvalidInput(
                f"{field} is {found.words} with {count} frames; a still image is needed, or "
                f"{remedy}",
                field=field,
            )
        return Clip(_to_rgb(ImageOps.exif_transpose(image))[None], fps=1.0)


def read_animation(
    source: bytes | Path,
    found: Sniffed,
    limits: DecodeLimits,
    *,
    field: str = "video",
    shrink_short_side: int | None = None,
) -> Clip:
    """An animated GIF or WebP; uneven frame times are made even at their mean rate.

    Raises:
        InvalidInput: as `read_image`, and for a file with a single frame.
    """
    frames: list[Frames] = []
    ends_ms: list[float] = []
    for frame, end_ms in _pictures(source, found, limits, field, shrink_short_side):
        frames.append(frame)
        ends_ms.append(end_ms)
    count = len(frames)
    fps = 1000 * count / ends_ms[-1]
    middles_ms = (np.arange(count) + 0.5) * 1000 / fps
    shown = np.searchsorted(ends_ms, middles_ms, side="right").clip(max=count - 1)
    return Clip(np.stack([frames[i] for i in shown]), fps=fps)


def probe_animation(
    source: bytes | Path, found: Sniffed, limits: DecodeLimits, *, field: str = "video"
) -> VideoFormat:
    """What `read_animation` would give, decoded and not kept."""
    count, width, height, plays_ms = 0, 0, 0, 0.0
    for frame, end_ms in _pictures(source, found, limits, field, None):
        height, width, _ = frame.shape
        count, plays_ms = count + 1, end_ms
    return VideoFormat(width, height, count, 1000 * count / plays_ms)


def _pictures(
    source: bytes | Path,
    found: Sniffed,
    limits: DecodeLimits,
    field: str,
    shrink_short_side: int | None,
) -> Iterator[tuple[Frames, float]]:
    """Each picture with the time in ms at which it ends."""
    with _opened(source, found, limits, field) as image:
        count = getattr(image, "n_frames", 1)
        if count < 2:
            raise InvalidInput(
                f"{field} is {found.words} with a single frame; a video is needed, "
                "or declare it as an image",
                field=field,
            )
        limits.check_length(count, 0.0, field)
        size = shrunk_size(*image.size, shrink_short_side)
        limits.check_memory(count, *size, field)
        end_ms = 0.0
        for i in range(count):
            image.seek(i)
            image.load()
            frame = _to_rgb(image)
            if size != image.size:
                frame = np.array(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))
            # Browsers show frames of no duration for a tenth of a second; so do we.
            end_ms += image.info.get("duration") or _DEFAULT_FRAME_MS
            limits.check_length(i + 1, end_ms / 1000, field)
            yield frame, end_ms


def count_pictures(source: bytes | Path, found: Sniffed, limits: DecodeLimits, field: str) -> int:
    """How many pictures a GIF or WebP holds, without decoding them."""
    with _opened(source, found, limits, field) as image:
        return int(getattr(image, "n_frames", 1))


@contextmanager
def _opened(
    source: bytes | Path, found: Sniffed, limits: DecodeLimits, field: str
) -> Iterator[Image.Image]:
    file: io.BytesIO | Path = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with Image.open(file, formats=[found.format]) as image:
            if found.format == "JPEG":
                most = _JPEG_TIMES * limits.max_pixels
                replace(limits, max_pixels=most).check_pixels(*image.size, field)
                _reduce(image, limits.max_pixels)
            limits.check_pixels(*image.size, field)
            yield image
    except Image.DecompressionBombWarning as error:
        raise _too_large(limits, field) from error
    except Image.DecompressionBombError as error:
        raise _too_large(limits, field) from error
    except UnidentifiedImageError as error:
        raise _broken(found, field) from error
    except _BROKEN as error:
        raise _broken(found, field) from error


def _reduce(image: Image.Image, max_pixels: int) -> None:
    """Have a JPEG decoded at the largest of its sizes (a half, a quarter, an eighth) that fits."""
    width, height = image.size
    for divisor in (1, 2, 4, 8):
        if -(-width // divisor) * -(-height // divisor) <= max_pixels:
            image.draft(None, (max(1, width // divisor), max(1, height // divisor)))
            return


def _too_large(limits: DecodeLimits, field: str) -> InvalidInput:
    return InvalidInput(
        f"{field} has more than {limits.max_pixels} pixels; scale it down", field=field
    )


def _broken(found: Sniffed, field: str) -> InvalidInput:
    return InvalidInput(
        f"{field} looks like {found.words} but cannot be decoded; it is damaged or cut off, "
        "so export or upload it again",
        field=field,
    )


def _to_rgb(image: Image.Image) -> Frames:
    """One picture as ``(H, W, 3)`` uint8, over white where it is transparent."""
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    with warnings.catch_warnings():
        # Palette images with byte transparency: Pillow advises RGBA, which is what follows.
        warnings.filterwarnings("ignore", message="Palette images with Transparency")
        if image.has_transparency_data:
            rgba = image.convert("RGBA")
            white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
            return np.array(Image.alpha_composite(white, rgba).convert("RGB"))
        return np.array(image.convert("RGB"))
