"""Decodes an uploaded file once, within limits, and says what it is."""

from __future__ import annotations

from pathlib import Path

from omnireel.api.v1 import media_pb2, mvl_pb2
from omnireel.errors import InvalidInput
from omnireel.media import DecodeLimits, read_clip, read_image
from omnireel.media.sniff import FileKind, read_head, sniff

MIME_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "mov": "video/mp4",
    "matroska": "video/x-matroska",
    "avi": "video/x-msvideo",
    "mpegts": "video/mp2t",
}
SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "video/mp4": ".mp4",
    "video/x-matroska": ".mkv",
    "video/x-msvideo": ".avi",
    "video/mp2t": ".ts",
}


def inspect_file(path: Path, limits: DecodeLimits, *, field: str) -> media_pb2.Media:
    """Describe the image or video in ``path`` (without URI, size in bytes and hash).

    Raises:
        InvalidInput: it is neither, is damaged, or goes beyond ``limits``.
    """
    found = sniff(read_head(path, limits, field))
    mime_type = MIME_TYPES.get(found.format, "")
    if found.kind is FileKind.OTHER or not mime_type:
        raise InvalidInput(
            f"{field} is {found.words}, not an image or video; send PNG, JPEG, WebP, GIF, MP4, "
            "MOV, MKV, WebM or AVI",
            field=field,
        )
    if found.kind is FileKind.IMAGE:
        clip = read_image(path, limits, field=field)
    else:
        clip = read_clip(path, limits, field=field)
    fmt = clip.format
    is_image = fmt.num_frames == 1 and found.kind is not FileKind.VIDEO
    return media_pb2.Media(
        kind=mvl_pb2.MEDIA_KIND_IMAGE if is_image else mvl_pb2.MEDIA_KIND_VIDEO,
        mime_type=mime_type,
        width=fmt.width,
        height=fmt.height,
        num_frames=fmt.num_frames,
        fps=0.0 if is_image else fmt.fps,
        has_audio=clip.audio is not None,
    )


def mime_type_of(name: str) -> str:
    """The type by a file name's suffix; empty when it says nothing."""
    by_suffix = {suffix: mime_type for mime_type, suffix in SUFFIXES.items()}
    return by_suffix.get(Path(name).suffix.lower(), "")
