"""What a general vision-language model is told: the task, the schema, and the user's input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from omnireel.mvl.prompt import Prompt
from omnireel.types import Clip, Frames, MediaKind, MediaSet, Role

SYSTEM = """\
You rewrite a user's request for a video generator. Look at the given images, think briefly, then \
answer with one JSON object and nothing else:
{"subjects": [list of who or what is seen, most important first],
 "summary": "one short sentence",
 "kept": "what of the given images and videos must stay as it is",
 "description": "the complete prompt, 1 to 3 plain sentences",
 "motion": "who moves how",
 "camera": "what the camera does",
 "style": "look, place, light, weather"}
Rules:
- Never change or drop a fact that the user states: colours, kinds, counts, motion, place, style.
- The description must stand alone and must repeat every @name of the request exactly as written; \
invent no other @name.
- Fill in what the user left open plausibly and briefly.
- If the request is a puzzle, a comparison or a question, solve it and describe the answer.
- For an edit of a given video, say what changes and that everything else stays the same.
"""

MAX_FRAMES_PER_INPUT = 3
MAX_FRAMES = 12


@dataclass(frozen=True, eq=False)
class Shown:
    """One piece of the user's message: a line of text, or a picture ``frame_HWC``."""

    text: str = ""
    frame_HWC: Frames | None = None


def user_message(prompt: Prompt, media: MediaSet) -> Iterator[Shown]:
    """The given media, each announced by name and role, then the request itself."""
    left = MAX_FRAMES
    for name, what in _declared(prompt):
        frames = key_frames(media.get(name, ()))[: min(left, MAX_FRAMES_PER_INPUT)]
        left -= len(frames)
        yield Shown(text=f"@{name} is {what}{':' if frames else ' (not shown)'}")
        yield from (Shown(frame_HWC=frame) for frame in frames)
    yield Shown(text=f"Request: {prompt.text}")


def key_frames(clips: tuple[Clip, ...]) -> list[Frames]:
    """First, middle and last frame of a video; the first frame of each image of an element."""
    if len(clips) == 1:
        frames = clips[0].frames_THWC
        last = len(frames) - 1
        return [frames[i] for i in dict.fromkeys((0, last // 2, last)) if last >= 0]
    return [clip.frames_THWC[0] for clip in clips if len(clip.frames_THWC)]


def shrink(frame_HWC: Frames, longest: int) -> Frames:
    """Every n-th pixel, so that no side is longer than ``longest``."""
    step = max(1, -(-max(frame_HWC.shape[:2]) // longest))
    return np.ascontiguousarray(frame_HWC[::step, ::step])


_ROLE_WORDS = {
    Role.REFERENCE: "a reference {kind}",
    Role.SOURCE: "the {kind} to edit",
    Role.FIRST_FRAME: "the first frame",
    Role.LAST_FRAME: "the last frame",
    Role.STORYBOARD: "a storyboard",
    Role.MOTION: "a {kind} whose motion to copy",
    Role.CAMERA: "a {kind} whose camera movement to copy",
    Role.ANNOTATION: "a {kind} with drawn annotations",
}


def _declared(prompt: Prompt) -> Iterator[tuple[str, str]]:
    for given in prompt.inputs:
        kind = "video" if given.kind is MediaKind.VIDEO else "image"
        yield given.name, _ROLE_WORDS.get(given.role, "a given {kind}").format(kind=kind)
    for element in prompt.elements:
        note = f" ({element.description})" if element.description else ""
        yield element.name, f"a subject shown from several sides{note}"
