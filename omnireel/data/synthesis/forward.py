"""Edits whose target is made: by classical means, or by a model of yours."""

from __future__ import annotations

from collections.abc import Iterator

from omnireel.data.synthesis.derived import Derived, DerivedInput
from omnireel.data.synthesis.erase import erase
from omnireel.data.synthesis.expert import Expert
from omnireel.data.synthesis.reverse import FINE_MP4, Natural
from omnireel.data.synthesis.wordings import REMOVE
from omnireel.errors import InvalidInput
from omnireel.media import write_mp4
from omnireel.types import Clip, Frames, Role


def removed(natural: Natural) -> Iterator[Derived]:
    """The clip without its subject as the target; nothing where no subject was found."""
    if natural.mask_THW is not None:
        frames = erase(natural.clip.frames_THWC, natural.wide_mask)
        yield edited(natural, frames, REMOVE, "C5", "forward/remove")


def by_expert(natural: Natural, expert: Expert, instruction: str) -> Iterator[Derived]:
    """The clip as the expert edits it.

    Raises:
        InvalidInput: the expert's frames have another shape.

    """
    frames = expert.edit(natural.clip.frames_THWC, instruction)
    if frames.shape != natural.clip.frames_THWC.shape or frames.dtype.name != "uint8":
        raise InvalidInput(
            f"{expert.name} gave {frames.dtype.name} {frames.shape} for "
            f"{natural.clip.frames_THWC.shape}; an expert keeps size and length",
            field="expert",
        )
    text = f"{instruction.rstrip('. ')} in @Source, keep everything else."
    yield edited(natural, frames, text, "C8", f"expert {expert.name}")


def edited(natural: Natural, frames: Frames, text: str, capability: str, made_by: str) -> Derived:
    """A sample with the clip's own file as its source."""
    kind = made_by.partition("/")[2] or "expert"
    source = DerivedInput(Role.SOURCE, "Source", natural.path.read_bytes(), natural.path.suffix)
    lineage = {
        "made_by": made_by,
        "of": natural.path.name,
        "of_sha256": natural.sha256,
        **natural.facts,
    }
    target = write_mp4(Clip(frames, natural.clip.fps), None, FINE_MP4)
    return Derived(
        f"{natural.name}-{kind}", target, ".mp4", text, capability, (source,), lineage,
        natural.licence,
    )  # fmt: skip
