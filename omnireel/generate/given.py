"""What a result may show of the media it was made from, pixel by pixel, on its own grid.

Pictures and videos of the same place line up with the result wherever nothing moved: the frame that
it begins or ends with, the picture that was drawn on, the video that is edited, the shot before.
Pictures of elements show them somewhere else, on plain ground, and storyboards and the clips whose
motion or camera is taken over show other places: those are left out.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from omnireel.generate.frames import frames_to_video, resample_frames, resize_video
from omnireel.mvl.prompt import Input, Prompt
from omnireel.types import Clip, MediaKind, MediaSet, Role, VideoFormat

_ROLES = (Role.FIRST_FRAME, Role.LAST_FRAME, Role.ANNOTATION, Role.REFERENCE, Role.SOURCE)
_STILLS = 3
"""Frames of a video that keeps no time with the result: the first, the last and those between."""


def given_inputs(prompt: Prompt) -> list[Input]:
    """Those that a result may show pixels of, in the order of declaration."""
    return [i for i in prompt.inputs if i.role in _ROLES]


def given_videos(
    prompt: Prompt, media: MediaSet, fmt: VideoFormat, *, smaller: bool = False
) -> list[Tensor]:
    """Those media on the grid of ``fmt``: ``[3, T, H, W]`` each, in -1..1.

    T is 1 for a picture, which may be seen at any time, and that of ``fmt`` for a video that is
    edited. What is smaller than ``fmt`` has no detail to show and is left out, unless ``smaller``.
    """
    found: list[Tensor] = []
    for declared in given_inputs(prompt):
        for clip in media.get(declared.name, ()):
            if not smaller and (clip.format.height < fmt.height or clip.format.width < fmt.width):
                continue
            found += _videos(clip, declared, fmt)
    return found


def _videos(clip: Clip, declared: Input, fmt: VideoFormat) -> list[Tensor]:
    frames = clip.frames_THWC
    if declared.kind is MediaKind.IMAGE:
        parts = [frames[:1]]
    elif declared.role is Role.SOURCE:
        parts = [resample_frames(frames, clip.fps, fmt.fps, fmt.num_frames)]
    else:
        at = np.unique(np.linspace(0, len(frames) - 1, _STILLS).round().astype(int))
        parts = [frames[i : i + 1] for i in at]
    return [resize_video(frames_to_video(part), fmt.height, fmt.width) for part in parts]
