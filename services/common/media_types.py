"""The media types that are taken, by decoder, and the file suffixes that objects get."""

from __future__ import annotations

from pathlib import Path

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


def mime_type_of(name: str) -> str:
    """The type by a file name's suffix; empty when it says nothing."""
    by_suffix = {suffix: mime_type for mime_type, suffix in SUFFIXES.items()}
    return by_suffix.get(Path(name).suffix.lower(), "")
