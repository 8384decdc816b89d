"""What a decoding process answered: a stranger's word, once a stranger's file controls it."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from omnireel.errors import InvalidInput
from omnireel.media.limits import DecodeLimits
from omnireel.types import Audio, Clip
from services.common.logs import get_logger
from services.common.sandbox.wire import Message

log = get_logger(__name__)

DAMAGED = "it is damaged, so export or upload it again"


@dataclass(frozen=True)
class MediaFacts:
    """What a file is. ``fps`` is 0 for an image."""

    is_image: bool
    mime_type: str
    width: int
    height: int
    num_frames: int
    fps: float
    has_audio: bool


def good_answer(answer: Message, field: str) -> Message:
    """What was found; raises InvalidInput when the file was refused."""
    if isinstance(answer.get("ok"), dict):
        found: Message = answer["ok"]
        return found
    if isinstance(answer.get("refused"), str):
        raise InvalidInput(answer["refused"], field=field)
    log.error("a file broke its decoder", field=field, story=str(answer.get("broke"))[:4000])
    raise InvalidInput(f"{field} cannot be decoded; {DAMAGED}", field=field)


def facts_of(answer: Message, field: str) -> MediaFacts:
    """The answer to a question what a file is."""
    try:
        facts = MediaFacts(**answer)
    except TypeError as error:
        raise _nonsense(field) from error
    numbers = (facts.width, facts.height, facts.num_frames)
    if (
        not all(isinstance(number, int) and 0 < number < 1 << 31 for number in numbers)
        or not isinstance(facts.fps, float)
        or not math.isfinite(facts.fps)
    ):
        raise _nonsense(field)
    return facts


def clip_of(answer: Message, output: int, limits: DecodeLimits, field: str) -> Clip:
    """The clip that lies in the file ``output``."""
    audio = None
    try:
        frames_THWC: npt.NDArray[np.uint8] = _read(
            output, 0, answer["shape_THWC"], np.uint8, limits.max_decoded_bytes
        )
        if "rate" in answer:
            samples_CN: npt.NDArray[np.float32] = _read(
                output, frames_THWC.nbytes, answer["shape_CN"], np.float32, _sound_bytes(limits)
            )
            audio = Audio(samples_CN, int(answer["rate"]))
        return Clip(frames_THWC, fps=float(answer["fps"]), audio=audio)
    except (KeyError, TypeError, ValueError) as error:
        raise _nonsense(field) from error


def _read(output: int, start: int, shape: list[int], dtype: Any, largest: int) -> Any:
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not all(isinstance(side, int) and side >= 0 for side in shape) or size > largest:
        raise ValueError(f"an array of shape {shape}")
    array = np.empty(shape, dtype)
    view = array.reshape(-1).view(np.uint8).data
    while view:
        count = os.preadv(output, [view], start)
        if not count:
            raise ValueError("fewer bytes than announced")
        view, start = view[count:], start + count
    return array


def _nonsense(field: str) -> InvalidInput:
    log.error("a decoding process answered nonsense", field=field)
    return InvalidInput(f"{field} cannot be decoded; {DAMAGED}", field=field)


def output_bytes(limits: DecodeLimits) -> int:
    """The most that a decoded clip may take."""
    return limits.max_decoded_bytes + _sound_bytes(limits)


def _sound_bytes(limits: DecodeLimits) -> int:
    """Two channels of float32 at 48 kHz, with a second to spare."""
    return int((limits.max_seconds + 1) * 48_000) * 2 * 4
