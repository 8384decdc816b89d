"""The poster: the first frame of the finished video as a PNG."""

from __future__ import annotations

import hashlib

from omnireel.api.v1 import media_pb2, mvl_pb2
from omnireel.media import read_clip, write_png
from omnireel.store import ObjectStore


def make_poster(store: ObjectStore, video: media_pb2.Media, output_prefix: str) -> media_pb2.Media:
    """Write ``{output_prefix}/poster.png`` and describe it."""
    frame_HWC = read_clip(store.get(video.uri), with_audio=False).frames_THWC[0]
    data = write_png(frame_HWC)
    height, width, _ = frame_HWC.shape
    return media_pb2.Media(
        uri=store.put(f"{output_prefix}/poster.png", data),
        kind=mvl_pb2.MEDIA_KIND_IMAGE,
        mime_type="image/png",
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        width=width,
        height=height,
        num_frames=1,
    )
