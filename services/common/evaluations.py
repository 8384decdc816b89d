"""How many network evaluations one denoising step of a request takes, without loading a model.

The same count as that of :func:`omnireel.sampling.guidance.chain`, which lays the variants out; a
test holds the two together.
"""

from __future__ import annotations

from omnireel.api.v1 import generation_pb2, mvl_pb2

_VIDEO_ROLES = frozenset({mvl_pb2.ROLE_SOURCE, mvl_pb2.ROLE_MOTION, mvl_pb2.ROLE_CAMERA})


def evaluations_per_step(prompt: mvl_pb2.Prompt, guidance: generation_pb2.Guidance) -> int:
    """Of the generator, for a resolved request: every scale is set, and the prompt has words."""
    groups = {"video" if i.role in _VIDEO_ROLES else "image" for i in prompt.inputs}
    if prompt.elements:
        groups.add("image")
    scales = [
        scale
        for group, scale in (("video", guidance.video), ("image", guidance.image))
        if group in groups
    ]
    scales.append(guidance.text)
    # A variant's weight is its own scale less the next one's: equal scales cancel it.
    before = [1.0, *scales]
    return sum(one != next_one for one, next_one in zip(before, [*scales, 0.0], strict=True))
