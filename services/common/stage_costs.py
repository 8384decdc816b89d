"""What a stage's cost depends on: the worker measures by it, the gateway estimates by it."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.duration_pb2 import Duration

from omnireel.api.v1 import generation_pb2, generator_pb2, prompt_enhancer_pb2, super_resolver_pb2
from omnireel.api.v1.video_pb2 import CreateVideoRequest
from services.common.jobs import Stage, StageOutput
from services.common.jobs.costs import CostKey, CostTable, StageCost


def enhance_cost(result: prompt_enhancer_pb2.EnhanceResult) -> StageCost:
    """One enhancement, whatever the format."""
    key = CostKey(Stage.ENHANCE, result.model_version, "")
    return StageCost(key, 1.0, _seconds(result.elapsed))


def generate_cost(
    settings: generation_pb2.GenerationSettings, result: generator_pb2.GenerateResult
) -> StageCost:
    """Denoising steps of the base format."""
    key = CostKey(Stage.GENERATE, result.model_version, format_name(settings.format))
    return StageCost(key, max(settings.num_inference_steps, 1), _seconds(result.timing.elapsed))


def upscale_cost(
    settings: generation_pb2.GenerationSettings, result: super_resolver_pb2.UpscaleResult
) -> StageCost:
    """Denoising steps from the base format."""
    key = CostKey(Stage.UPSCALE, result.model_version, format_name(settings.format))
    return StageCost(key, max(settings.num_upscale_steps, 1), _seconds(result.timing.elapsed))


def finish_cost(output: StageOutput) -> StageCost:
    """The tidying up."""
    return StageCost(CostKey(Stage.FINISH, "", ""), 1.0, output.finished_at - output.started_at)


def expected_s(request: CreateVideoRequest, costs: CostTable) -> dict[Stage, float | None]:
    """What each stage of a resolved request should take; None where nothing was measured."""
    return {
        stage: costs.seconds(stage, version, fmt, units)
        for stage, version, fmt, units in _stages(request)
    }


def format_name(fmt: generation_pb2.VideoFormat) -> str:
    """``64x64x17``: width, height, frames."""
    return f"{fmt.width}x{fmt.height}x{fmt.num_frames}"


def _stages(request: CreateVideoRequest) -> Iterator[tuple[Stage, str, str, float]]:
    settings, pinned = request.settings, request.model_versions
    fmt = format_name(settings.format)
    if request.enhance:
        yield Stage.ENHANCE, pinned.prompt_enhancer, "", 1.0
    yield Stage.GENERATE, pinned.generator, fmt, max(settings.num_inference_steps, 1)
    if request.upscale:
        yield Stage.UPSCALE, pinned.super_resolver, fmt, max(settings.num_upscale_steps, 1)
    yield Stage.FINISH, "", "", 1.0


def _seconds(duration: Duration) -> float:
    return float(duration.ToNanoseconds() / 1e9)
