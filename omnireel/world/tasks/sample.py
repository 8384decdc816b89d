"""One exercise of the capability table: what is given, what is asked, and the exact answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnireel.mvl.prompt import Prompt
from omnireel.types import Clip, MediaSet
from omnireel.world.captions.told import OpenFact
from omnireel.world.scene import Scene


@dataclass(frozen=True, eq=False)
class TaskSample:
    """A prompt with its media, and the clip that answers it.

    Source and target come from the same scene graph, so whatever an edit does not touch is equal
    to the last bit.
    """

    capability: str
    """Row of the capability table, for instance "C20"."""
    seed: int
    prompt: Prompt
    """Precise words, as a generator is trained on."""
    vague_prompt: Prompt
    """What a person in a hurry writes, with the same inputs and elements."""
    media: MediaSet
    """Decoded conditions by input or element name."""
    target: Clip
    scene: Scene
    """The scene of the target."""
    source_scene: Scene | None
    """The scene of the source video or of the first reference, when there is one."""
    edit_mask_THW: npt.NDArray[np.bool_] | None
    """Where the target may differ from the source; None for tasks that edit nothing, and if it was
    not asked for."""
    left_open: frozenset[OpenFact]
    """Facts of the target that neither words nor media tell: any answer is right."""
    cuts: tuple[Scene, ...] = ()
    """Scenes that follow ``scene`` in the target, each for an equal share of the frames."""
    matte_THW: npt.NDArray[np.bool_] | None = None
    """Where the target shows a subject cut out of the source; None for all other tasks."""
    panels: tuple[int, ...] = ()
    """Frames of the target that the panels of a storyboard show, in order."""
    solution: Prompt | None = None
    """The prompt with its puzzle solved, as an enhancer shall write it."""
