"""A clip or an image, read once: its facts, its shots, and the few frames that checks look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av

from omnireel.data.candidate import FileFacts, Shot
from omnireel.data.checks.policy import ShotConfig
from omnireel.data.curate.still import sample_still
from omnireel.data.curate.video_pass import ReadConfig, ReadShot, VideoPass, words_of
from omnireel.errors import OmnireelError
from omnireel.media import read_media
from omnireel.media.image import count_pictures
from omnireel.media.sniff import FileKind, read_head, sniff
from omnireel.types import MediaKind

__all__ = ["ReadConfig", "ReadShot", "read_file", "whole_if_alone"]


def read_file(
    path: Path,
    shots: ShotConfig,
    on_shot: Callable[[ReadShot], None],
    *,
    beat: Callable[[], None] = lambda: None,
    config: ReadConfig | None = None,
) -> FileFacts:
    """Read a clip or image once; what is wrong inside of it is in ``error``, and is never raised.

    Args:
        path: the file.
        shots: where it is cut.
        on_shot: given each shot as soon as it has ended; whether it is the whole file is not
            known before the end, see :func:`whole_if_alone`.
        beat: called now and then, so that a watcher sees that the work goes on.
        config: bounds.

    """
    config = config or ReadConfig()
    size = path.stat().st_size
    try:
        found = sniff(read_head(path, config.limits, "the file"))
        if found.kind is FileKind.VIDEO:
            return VideoPass(path, found.format, shots, on_shot, beat, config).run()
        if found.kind is FileKind.OTHER:
            return _failed(size, f"it is {found.words}")
        if found.format == "GIF" and count_pictures(path, found, config.limits, "the file") > 1:
            return VideoPass(path, "gif", shots, on_shot, beat, config).run()
        kind, clip = read_media(path, field="the file")
    except (OmnireelError, OSError, av.error.FFmpegError) as error:
        return _failed(size, words_of(error))
    frames, facts = sample_still(kind, clip, found.format.lower(), size)
    on_shot(ReadShot(Shot(0.0, facts.seen_s), frames, facts))
    return facts


def _failed(size: int, error: str) -> FileFacts:
    return FileFacts(MediaKind.VIDEO, size, error=error)


def whole_if_alone(shots: list[Shot]) -> list[Shot]:
    """The shots of a file, marked as parts when there are several."""
    return [replace(shot, whole=len(shots) == 1) for shot in shots]
