"""What a result could not use of what it was made from: words beyond the model's limit, time after
its end, sides beyond its frame.
"""

from __future__ import annotations

from collections.abc import Iterator

from omnireel.generate.conditions import ConditionEncoder
from omnireel.generate.frames import cropped_size
from omnireel.mvl.prompt import Prompt
from omnireel.types import Clip, MediaKind, MediaSet, Role, VideoFormat

LEAST_SHARE = 0.7
"""Of a side. What is cut off ordinary photos and films in any of a model's sizes is less."""


def unused(
    conditions: ConditionEncoder, prompt: Prompt, media: MediaSet, fmt: VideoFormat
) -> tuple[tuple[str, str], ...]:
    """``(code, sentence)`` pairs to show the user: of the text, then of inputs and elements in the
    order of declaration.

    ``PROMPT_CUT``: the prompt has more tokens than the model reads. ``INPUT_CUT``: a video plays
    longer than the result, by more than a frame. ``INPUT_CROPPED``: less than :data:`LEAST_SHARE`
    of a picture's width or height is seen.
    """
    return tuple(_unused(conditions, prompt, media, fmt))


def _unused(
    conditions: ConditionEncoder, prompt: Prompt, media: MediaSet, fmt: VideoFormat
) -> Iterator[tuple[str, str]]:
    unread = conditions.tokenizer.unread_words(prompt)
    if unread:
        last = "its last word was" if unread == 1 else f"its last {unread} words were"
        yield "PROMPT_CUT", f"The prompt was cut: {last} not read; shorten it."
    for declared in prompt.inputs:
        clip, name = media[declared.name][0], f"@{declared.name}"
        if declared.kind is MediaKind.VIDEO:
            yield from _cut(name, clip.format, fmt)
        yield from _cropped(name, clip, conditions.grid(clip, declared.role, fmt))
    for element in prompt.elements:
        clips = media[element.name]
        for i, clip in enumerate(clips, start=1):
            name = f"@{element.name}" if len(clips) == 1 else f"Picture {i} of @{element.name}"
            yield from _cropped(name, clip, conditions.grid(clip, Role.ELEMENT, fmt))


def _cut(name: str, given: VideoFormat, fmt: VideoFormat) -> Iterator[tuple[str, str]]:
    if given.duration_s - fmt.duration_s > 1 / min(given.fps, fmt.fps) + 1e-6:
        yield (
            "INPUT_CUT",
            f"{name} was cut: the first {fmt.duration_s:.1f} of {given.duration_s:.1f} s were "
            "used.",
        )


def _cropped(name: str, clip: Clip, grid: tuple[int, int]) -> Iterator[tuple[str, str]]:
    whole = clip.format
    height, width = cropped_size(whole.height, whole.width, *grid)
    share, side = min((width / whole.width, "width"), (height / whole.height, "height"))
    if share < LEAST_SHARE:
        yield (
            "INPUT_CROPPED",
            f"{name} was cropped: the middle {100 * share:.0f} % of its {side} was used.",
        )
