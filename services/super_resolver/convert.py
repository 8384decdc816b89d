"""UpscaleRequest -> job, reports and files -> UpscaleResponse."""

from __future__ import annotations

from omnireel.api.v1 import progress_pb2, super_resolver_pb2
from omnireel.errors import InvalidInput
from omnireel.mvl import PromptLimits
from services.common.checkpoints import work_digest
from services.common.convert_generation import (
    media_to_proto,
    progress_to_proto,
    sampling_from_proto,
    timing_to_proto,
    warnings_to_proto,
)
from services.common.convert_mvl import prompt_from_proto
from services.common.denoising import StageProgress
from services.super_resolver.stage import UpscaledFiles, UpscaleJob

_STAGE = progress_pb2.STAGE_UPSCALING


def job_from_proto(
    request: super_resolver_pb2.UpscaleRequest, limits: PromptLimits, version: str
) -> UpscaleJob:
    """Read and check a request.

    Raises:
        InvalidInput: naming each wrong field.
    """
    if request.preview_every_steps < 0:
        raise InvalidInput("must not be negative", field="preview_every_steps")
    return UpscaleJob(
        prompt=prompt_from_proto(request.prompt, limits),
        sampling=sampling_from_proto(request.settings),
        video_uri=request.video_uri,
        latents_uri=request.latents_uri,
        output_prefix=request.output_prefix,
        preview_every_steps=request.preview_every_steps,
        state_prefix=request.state_prefix,
        digest=work_digest(request, version),
    )


def progress_response(report: StageProgress) -> super_resolver_pb2.UpscaleResponse:
    """One finished step."""
    return super_resolver_pb2.UpscaleResponse(
        progress=progress_to_proto(
            _STAGE,
            report.step,
            report.num_steps,
            eta_s=report.eta_s,
            preview_uri=report.preview_uri,
        )
    )


def result_response(files: UpscaledFiles, model_version: str) -> super_resolver_pb2.UpscaleResponse:
    """The one result."""
    return super_resolver_pb2.UpscaleResponse(
        result=super_resolver_pb2.UpscaleResult(
            video=media_to_proto(files.video),
            model_version=model_version,
            timing=timing_to_proto(
                _STAGE,
                elapsed_s=files.elapsed.total_s,
                codec_s=files.elapsed.codec_s,
                num_function_evaluations=files.num_function_evaluations,
            ),
            warnings=warnings_to_proto(files.warnings),
        )
    )
