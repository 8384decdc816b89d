"""The world as an expert: edits and multi-reference samples, exact to the last bit."""

from __future__ import annotations

from dataclasses import asdict

from omnireel.data.synthesis.derived import Derived, DerivedInput
from omnireel.media import Mp4Settings, write_mp4, write_png
from omnireel.types import Role, VideoFormat
from omnireel.world.tasks.catalog import sample_task
from omnireel.world.tasks.sample import TaskSample

_SETTINGS = Mp4Settings(crf=8, preset="fast", threads=1)
LICENCE = "Apache-2.0"


def rendered(capability: str, seed: int, fmt: VideoFormat) -> Derived:
    """Sample ``seed`` of a capability.

    Raises:
        InvalidInput: there is no such capability.

    """
    sample = sample_task(capability, seed, fmt, with_mask=False)
    inputs = []
    for name, clips in sample.media.items():
        role = next((i.role for i in sample.prompt.inputs if i.name == name), Role.ELEMENT)
        for clip in clips:
            video = len(clip.frames_THWC) > 1
            data = write_mp4(clip, None, _SETTINGS) if video else write_png(clip)
            inputs.append(DerivedInput(role, name, data, ".mp4" if video else ".png"))
    target = write_mp4(sample.target, None, _SETTINGS)
    return Derived(
        f"world-{capability}-{seed:06d}", target, ".mp4", sample.prompt.text, capability,
        tuple(inputs), _lineage(sample), LICENCE,
    )  # fmt: skip


def _lineage(sample: TaskSample) -> dict[str, object]:
    return {
        "made_by": "world",
        "of": f"{sample.capability} seed {sample.seed}",
        "scene": asdict(sample.scene),
        "source_scene": asdict(sample.source_scene) if sample.source_scene else None,
    }
