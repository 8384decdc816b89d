"""What every test engine says that it can do."""

from __future__ import annotations

from dataclasses import replace

from omnireel.errors import InvalidInput
from omnireel.types import VideoFormat
from services.common.model_info import GuidanceScales, ModelCapabilities, ModelInfo, Sampling

VERSION = "test-1"
NUM_STEPS = 4
GUIDANCE = GuidanceScales(text=4.0, image=1.5, video=1.5)
SIZES = ((64, 64), (112, 64), (64, 112))

CAPABILITIES = ModelCapabilities(
    tasks=("C1", "C2", "C8", "C18", "C20"),
    sizes=SIZES,
    min_frames=1,
    max_frames=33,
    fps=(8.0,),
    max_inference_steps=64,
    defaults=Sampling(VideoFormat(64, 64, 17, 8.0), 0, NUM_STEPS, NUM_STEPS, GUIDANCE),
)


def test_model(kind: str, **more: object) -> ModelInfo:
    """The description of the test engine of one kind."""
    return ModelInfo(
        kind=kind,
        name=f"test-{kind}",
        version=VERSION,
        device="cpu",
        capabilities=replace(CAPABILITIES, **more),  # type: ignore[arg-type]
    )


test_model.__test__ = False  # type: ignore[attr-defined]


def check(sampling: Sampling) -> None:
    """Refuse what the capabilities do not list, as the real engines do."""
    fmt = sampling.format
    steps = max(sampling.num_inference_steps, sampling.num_upscale_steps)
    if (fmt.width, fmt.height) not in SIZES:
        raise InvalidInput(
            f"{fmt.width}x{fmt.height} is not one of 64x64, 112x64, 64x112", field="format.size"
        )
    if fmt.num_frames not in range(1, 34, 4) or fmt.fps != 8.0:
        raise InvalidInput("give 1, 5, 9 .. 33 frames at 8 fps", field="format.num_frames")
    if steps > CAPABILITIES.max_inference_steps:
        raise InvalidInput("at most 64 steps", field="num_inference_steps")
