"""Samples with decoded media: what an encoder for training takes."""

from __future__ import annotations

from omnireel.data.sample import Media, TrainingSample
from omnireel.media import DecodeLimits, read_clip, read_image
from omnireel.types import Clip, MediaKind, MediaSet


def decode_target(
    sample: TrainingSample, limits: DecodeLimits, *, shrink_short_side: int | None = None
) -> Clip:
    """The target's frames, without sound.

    Raises:
        InvalidInput: it cannot be decoded within ``limits``; the sample is named.

    """
    return _decode(sample.target, limits, sample.key, shrink_short_side)


def decode_inputs(
    sample: TrainingSample, limits: DecodeLimits, *, shrink_short_side: int | None = None
) -> MediaSet:
    """The inputs' clips by name; of an element there are several, in order.

    Raises:
        InvalidInput: one cannot be decoded within ``limits``; the sample is named.

    """
    found: dict[str, tuple[Clip, ...]] = {}
    for given in sample.inputs:
        where = f"{sample.key}: @{given.name}"
        clip = _decode(given.media, limits, where, shrink_short_side)
        found[given.name] = (*found.get(given.name, ()), clip)
    return found


def _decode(media: Media, limits: DecodeLimits, where: str, short_side: int | None) -> Clip:
    if media.kind is MediaKind.IMAGE:
        return read_image(media.data, limits, field=where)
    return read_clip(
        media.data, limits, field=where, shrink_short_side=short_side, with_audio=False
    )
