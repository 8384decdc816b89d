"""Images, and short animations that Pillow decodes as a whole."""

from __future__ import annotations

import av
import numpy as np

from omnireel.data.candidate import (
    BURST_FRAMES,
    FRAMES_PER_SECOND,
    MAX_FRAMES,
    WORKING_SHORT_SIDE,
    FileFacts,
    SampledFrames,
)
from omnireel.data.gray import gray_of
from omnireel.data.pictures import Drawn
from omnireel.media.limits import shrunk_size
from omnireel.types import Clip, Frames, MediaKind


def sample_still(
    kind: MediaKind, clip: Clip, container: str, size_bytes: int
) -> tuple[SampledFrames, FileFacts]:
    """Frames and facts of what was decoded as a whole."""
    count, height, width, _ = clip.frames_THWC.shape
    seconds = 0.0 if kind is MediaKind.IMAGE else count / clip.fps
    every = max(1, round(clip.fps / FRAMES_PER_SECOND), -(-count // MAX_FRAMES))
    chosen = clip.frames_THWC[::every]
    burst = clip.frames_THWC[:BURST_FRAMES] if count > 1 else None
    frames = SampledFrames(
        Drawn(np.stack([_shrunk(frame) for frame in chosen])),
        np.arange(len(chosen)) * every / clip.fps,
        () if burst is None else (gray_of(np.stack([_shrunk(frame) for frame in burst])),),
        () if burst is None else (np.arange(len(burst)) / clip.fps,),
        (Drawn(clip.frames_THWC[count // 2]),),
        (count // 2 / clip.fps,),
    )
    facts = FileFacts(
        kind,
        size_bytes,
        container,
        container,
        width,
        height,
        fps=0.0 if kind is MediaKind.IMAGE else round(clip.fps, 4),
        seen_s=round(seconds, 4),
        packets=count,
        decoded=count,
        bits_per_pixel=round(8 * size_bytes / (count * width * height), 6),
    )
    return frames, facts


def _shrunk(frame: Frames) -> Frames:
    height, width, _ = frame.shape
    size = shrunk_size(width, height, WORKING_SHORT_SIDE)
    if size == (width, height):
        return frame
    shrunk: Frames = (
        av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")
        .reformat(*size, interpolation="AREA", threads=1)
        .to_ndarray()
    )
    return shrunk
