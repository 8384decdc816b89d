"""Chained classifier-free guidance over video, image and text conditions.

``v = v_0 + w_vid (v_V - v_0) + w_img (v_VI - v_V) + w_txt (v_VTI - v_VI)``

A link whose condition the sample does not have is left out, so the cost in network evaluations per
step is 1 + the number of links in use (and 1 when every scale in use is 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.model.sequence import OmniSample
from omnireel.model.text import TextTokens
from omnireel.types import MAX_GUIDANCE, Role

_VIDEO_ROLES = frozenset({Role.SOURCE, Role.MOTION, Role.CAMERA})


def guidance_group(role: Role) -> str:
    """Which scale guides a visual condition: ``video``, ``image``, or ``always`` (never dropped).

    The low-resolution clip is what super-resolution is about, so no variant goes without it.
    """
    if role is Role.LOW_RESOLUTION:
        return "always"
    return "video" if role in _VIDEO_ROLES else "image"


@dataclass(frozen=True)
class Guidance:
    """Guidance scales; 1 follows the condition as it is, larger exaggerates it."""

    text: float = 4.0
    image: float = 1.5
    video: float = 1.5

    def __post_init__(self) -> None:
        for name in ("text", "image", "video"):
            if not 0.0 <= getattr(self, name) <= MAX_GUIDANCE:
                raise InvalidInput(
                    f"guidance.{name} must be between 0 and {MAX_GUIDANCE:g}, "
                    f"got {getattr(self, name)}",
                    field=f"guidance.{name}",
                )


NO_GUIDANCE = Guidance(text=1.0, image=1.0, video=1.0)


@dataclass(frozen=True, eq=False)
class GuidanceChain:
    """The variants of one sample to evaluate and the weight of each velocity (they sum to 1)."""

    variants: tuple[OmniSample, ...]
    weights: tuple[float, ...]

    def combine(self, velocities: list[Tensor]) -> Tensor:
        """The guided velocity from those of :attr:`variants`, in order."""
        out = velocities[0] * self.weights[0]
        for velocity, weight in zip(velocities[1:], self.weights[1:], strict=True):
            out = out + weight * velocity
        return out


def drop(sample: OmniSample, empty: TextTokens, *, keep: Mapping[str, bool]) -> OmniSample:
    """The sample without the condition groups (text, image, video) whose ``keep`` is false."""
    segments = tuple(s for s in sample.segments if {**keep, "always": True}[guidance_group(s.role)])
    return replace(sample, text=sample.text if keep["text"] else empty, segments=segments)


def chain(sample: OmniSample, empty: TextTokens, guidance: Guidance) -> GuidanceChain:
    """Lay out the guidance chain of one sample."""
    groups = {guidance_group(s.role) for s in sample.segments}
    links = [
        (name, scale)
        for name, scale, present in (
            ("video", guidance.video, "video" in groups),
            ("image", guidance.image, "image" in groups),
            ("text", guidance.text, sample.text != empty),
        )
        if present
    ]
    keep = {"text": False, "image": False, "video": False}
    variants, weights = [drop(sample, empty, keep=keep)], [1.0]
    for name, scale in links:
        keep = {**keep, name: True}
        weights[-1] -= scale
        variants.append(drop(sample, empty, keep=keep))
        weights.append(scale)
    used = [i for i, w in enumerate(weights) if w != 0.0]
    return GuidanceChain(tuple(variants[i] for i in used), tuple(weights[i] for i in used))
