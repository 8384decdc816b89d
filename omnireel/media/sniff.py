"""What a file is by its first bytes, so that no decoder is tried on something else.

A container's demuxer is then forced by name: formats that are lists of other files (HLS playlists,
concat scripts, SDP) can never be reached, whatever an uploaded file contains.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from omnireel.errors import InvalidInput, NotFound
from omnireel.media.limits import DecodeLimits

_HEAD_BYTES = 4096
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")

_HEIF_BRANDS = frozenset(
    b"avif avis mif1 mif2 msf1 heic heix heim heis hevc hevx hevm hevs".split()
)


class FileKind(StrEnum):
    """The families that the readers tell apart."""

    IMAGE = "image"
    ANIMATION = "animation"
    VIDEO = "video"
    OTHER = "other"


@dataclass(frozen=True)
class Sniffed:
    """``format`` is Pillow's name (IMAGE, ANIMATION) or FFmpeg's demuxer (VIDEO)."""

    kind: FileKind
    format: str
    words: str


def read_head(source: bytes | Path, limits: DecodeLimits, field: str) -> bytes:
    """The first bytes of ``source``, after its size was checked.

    Raises:
        InvalidInput: empty, or larger than ``limits.max_bytes``.
        NotFound: no such file.
    """
    if isinstance(source, bytes):
        limits.check_bytes(len(source), field)
        return source[:_HEAD_BYTES]
    if not source.is_file():
        raise NotFound(f"{field}: there is no file {source}")
    limits.check_bytes(source.stat().st_size, field)
    with source.open("rb") as file:
        return file.read(_HEAD_BYTES)


def sniff(head: bytes) -> Sniffed:
    """Classify by magic bytes. GIF and WebP count as animations; they may hold one frame."""
    for magic, image_format in (
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff", "JPEG"),
    ):
        if head.startswith(magic):
            return Sniffed(FileKind.IMAGE, image_format, f"a {image_format} image")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Sniffed(FileKind.ANIMATION, "WEBP", "a WebP image")
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return Sniffed(FileKind.ANIMATION, "GIF", "a GIF image")
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return Sniffed(FileKind.OTHER, "", "an AVIF or HEIC image (convert it to PNG or JPEG)")
    if head[4:8] in _MP4_BOXES:
        return Sniffed(FileKind.VIDEO, "mov", "an MP4 or MOV video")
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return Sniffed(FileKind.VIDEO, "matroska", "a Matroska or WebM video")
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return Sniffed(FileKind.VIDEO, "avi", "an AVI video")
    if len(head) > 188 and head[0] == head[188] == 0x47:
        return Sniffed(FileKind.VIDEO, "mpegts", "an MPEG transport stream")
    return Sniffed(FileKind.OTHER, "", _words_for_other(head))


def refuse(found: Sniffed, wanted: str, field: str) -> InvalidInput:
    """The error for a file of the wrong kind; ``wanted`` is a phrase such as 'an image (PNG)'."""
    return InvalidInput(f"{field} is {found.words}; {wanted} is needed", field=field)


def _words_for_other(head: bytes) -> str:
    if head.startswith(b"%PDF"):
        return "a PDF document"
    if head.startswith((b"ID3", b"OggS", b"fLaC")) or head[8:12] == b"WAVE":
        return "a sound file"
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The head may end inside a multi-byte character.
        if error.start < len(head) - 4:
            return "of an unknown type"
        text = head[: error.start].decode("utf-8")
    return "a text file" if text.isprintable() or "\n" in text else "of an unknown type"
