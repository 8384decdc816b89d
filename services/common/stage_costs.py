"""What a stage's cost depends on: the worker measures by it, the gateway estimates by it.

The generator's loop is counted in network evaluations, since guidance makes several of one step;
the super-resolver's in steps, whose guidance is its own. How many conditions a request has is not
counted: they are encoded once, and the medians are over what an installation is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.duration_pb2 import Duration

from omnireel.api.v1 import (
    generation_pb2,
    generator_pb2,
    progress_pb2,
    prompt_enhancer_pb2,
    super_resolver_pb2,
)
from omnireel.api.v1.video_pb2 import CreateVideoRequest
from services.common.evaluations import evaluations_per_step
from services.common.jobs import Stage, StageOutput
from services.common.jobs.costs import CostKey, CostTable, StageCost, StageTime


def enhance_cost(result: prompt_enhancer_pb2.EnhanceResult) -> StageCost:
    """One enhancement, whatever the format."""
    key = CostKey(Stage.ENHANCE, result.model_version, "")
    return StageCost(key, 1.0, _seconds(result.elapsed))


def generate_cost(
    settings: generation_pb2.GenerationSettings,
    result: generator_pb2.GenerateResult,
    first_step: int,
) -> StageCost | None:
    """Network evaluations of the base format; None when ``first_step`` was not the first of all:
    of an attempt that resumed, the time is only that of the steps which were left."""
    if first_step != 1:
        return None
    key = CostKey(Stage.GENERATE, result.model_version, format_name(settings.format))
    return _loop_cost(key, result.timing.num_function_evaluations, result.timing)


def upscale_cost(
    settings: generation_pb2.GenerationSettings,
    result: super_resolver_pb2.UpscaleResult,
    first_step: int,
) -> StageCost | None:
    """Denoising steps from the base format; None as for :func:`generate_cost`."""
    if first_step != 1:
        return None
    key = CostKey(Stage.UPSCALE, result.model_version, format_name(settings.format))
    return _loop_cost(key, settings.num_upscale_steps, result.timing)


def finish_cost(output: StageOutput) -> StageCost:
    """The tidying up."""
    return StageCost(CostKey(Stage.FINISH, "", ""), 1.0, output.finished_at - output.started_at)


def expected_times(request: CreateVideoRequest, costs: CostTable) -> dict[Stage, StageTime | None]:
    """What each stage of a resolved request should take; None where nothing was measured."""
    return {
        stage: costs.time(stage, version, fmt, units)
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
    evaluations = evaluations_per_step(request.prompt, settings.guidance)
    steps = max(settings.num_inference_steps, 1)
    yield Stage.GENERATE, pinned.generator, fmt, steps * evaluations
    if request.upscale:
        yield Stage.UPSCALE, pinned.super_resolver, fmt, max(settings.num_upscale_steps, 1)
    yield Stage.FINISH, "", "", 1.0


def _loop_cost(key: CostKey, units: int, timing: progress_pb2.StageTiming) -> StageCost:
    fixed_s = _seconds(timing.codec_elapsed)
    return StageCost(key, max(units, 1), max(_seconds(timing.elapsed) - fixed_s, 0.0), fixed_s)


def _seconds(duration: Duration) -> float:
    return float(duration.ToNanoseconds() / 1e9)
