"""What a decoding process can be asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnireel.errors import InvalidInput
from omnireel.media import DecodeLimits, probe_clip, read_clip, read_image
from omnireel.media.image import count_pictures
from omnireel.media.sniff import FileKind, read_head, sniff
from omnireel.types import Clip
from services.common.media_types import MIME_TYPES
from services.common.sandbox.wire import Message

Task = Callable[[Message, list[int]], Message]


def run_task(request: Message, descriptors: list[int]) -> Message:
    """Answer one request with ``{"ok": ...}`` or ``{"refused": ...}``."""
    try:
        return {"ok": TASKS[request["task"]](request, descriptors)}
    except InvalidInput as error:
        return {"refused": error.message}
    except MemoryError:
        return {"refused": f"{request['field']} takes too much memory to decode; scale it down"}


def describe(request: Message, descriptors: list[int]) -> Message:
    """Type, size, length and sound of a file, after every frame was decoded once."""
    path, limits, field = _source(descriptors), _limits(request), request["field"]
    found = sniff(read_head(path, limits, field))
    mime_type = MIME_TYPES.get(found.format, "")
    if found.kind is FileKind.OTHER or not mime_type:
        raise InvalidInput(
            f"{field} is {found.words}, not an image or video; send PNG, JPEG, WebP, GIF, MP4, "
            "MOV, MKV, WebM or AVI",
            field=field,
        )
    is_image = found.kind is FileKind.IMAGE or (
        found.kind is FileKind.ANIMATION and count_pictures(path, found, limits, field) == 1
    )
    if is_image:
        fmt, has_audio = read_image(path, limits, field=field).format, False
    else:
        fmt, has_audio = probe_clip(path, limits, field=field)
    return {
        "is_image": is_image,
        "mime_type": mime_type,
        "width": fmt.width,
        "height": fmt.height,
        "num_frames": fmt.num_frames,
        "fps": 0.0 if is_image else fmt.fps,
        "has_audio": has_audio,
    }


def image(request: Message, descriptors: list[int]) -> Message:
    """A still picture."""
    clip = read_image(_source(descriptors), _limits(request), field=request["field"])
    return _hand_over(clip, descriptors[1])


def clip(request: Message, descriptors: list[int]) -> Message:
    """A video with its sound."""
    read = read_clip(
        _source(descriptors),
        _limits(request),
        field=request["field"],
        shrink_short_side=request["shrink_short_side"],
    )
    return _hand_over(read, descriptors[1])


TASKS: dict[str, Task] = {"describe": describe, "image": image, "clip": clip}


def _limits(request: Message) -> DecodeLimits:
    return DecodeLimits(**request["limits"])


def _source(descriptors: list[int]) -> Path:
    # Opens the very file again, at its beginning, wherever its name may be by now.
    return Path(f"/proc/self/fd/{descriptors[0]}")


def _hand_over(made: Clip, output: int) -> Message:
    """Write frames, then samples, as they lie in memory."""
    _write(output, made.frames_THWC)
    answer: dict[str, Any] = {"shape_THWC": made.frames_THWC.shape, "fps": made.fps}
    if made.audio is not None:
        samples_CN = np.ascontiguousarray(made.audio.samples_CN, np.float32)
        _write(output, samples_CN)
        answer |= {"shape_CN": samples_CN.shape, "rate": made.audio.rate}
    return answer


def _write(output: int, array: npt.NDArray[Any]) -> None:
    view = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    while view:
        view = view[os.write(output, view) :]
