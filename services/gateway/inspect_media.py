"""What an uploaded file is, as the sandbox found it."""

from __future__ import annotations

from pathlib import Path

from omnireel.api.v1 import media_pb2, mvl_pb2
from services.common.sandbox import MediaSandbox


def inspect_file(path: Path, sandbox: MediaSandbox, *, field: str) -> media_pb2.Media:
    """Describe the image or video in ``path`` (without URI, size in bytes and hash).

    Raises:
        InvalidInput: it is neither, is damaged, or goes beyond a limit.
        ResourceExhausted: too many files are being looked at.
    """
    facts = sandbox.describe(path, field=field)
    return media_pb2.Media(
        kind=mvl_pb2.MEDIA_KIND_IMAGE if facts.is_image else mvl_pb2.MEDIA_KIND_VIDEO,
        mime_type=facts.mime_type,
        width=facts.width,
        height=facts.height,
        num_frames=facts.num_frames,
        fps=facts.fps,
        has_audio=facts.has_audio,
    )
