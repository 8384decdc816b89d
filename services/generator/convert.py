"""GenerateRequest -> job, reports and files -> GenerateResponse."""

from __future__ import annotations

from omnireel.api.v1 import generator_pb2, progress_pb2
from omnireel.errors import InvalidInput
from omnireel.mvl import PromptLimits
from services.common.checkpoints import work_digest
from services.common.convert_generation import (
    media_to_proto,
    progress_to_proto,
    sampling_from_proto,
    sampling_to_proto,
    timing_to_proto,
    warnings_to_proto,
)
from services.common.convert_mvl import prompt_from_proto
from services.common.denoising import StageProgress
from services.common.denoising_stage import DenoisingJob
from services.generator.stage import GeneratedFiles

_STAGE = progress_pb2.STAGE_GENERATING


def job_from_proto(
    request: generator_pb2.GenerateRequest, limits: PromptLimits, version: str
) -> DenoisingJob:
    """Read and check a request.

    Raises:
        InvalidInput: naming each wrong field.
    """
    if request.preview_every_steps < 0:
        raise InvalidInput("must not be negative", field="preview_every_steps")
    return DenoisingJob(
        prompt=prompt_from_proto(request.prompt, limits),
        sampling=sampling_from_proto(request.settings),
        output_prefix=request.output_prefix,
        preview_every_steps=request.preview_every_steps,
        state_prefix=request.state_prefix,
        digest=work_digest(request, version),
    )


def progress_response(report: StageProgress) -> generator_pb2.GenerateResponse:
    """One finished step."""
    return generator_pb2.GenerateResponse(
        progress=progress_to_proto(
            _STAGE,
            report.step,
            report.num_steps,
            eta_s=report.eta_s,
            preview_uri=report.preview_uri,
        )
    )


def result_response(files: GeneratedFiles, model_version: str) -> generator_pb2.GenerateResponse:
    """The one result."""
    return generator_pb2.GenerateResponse(
        result=generator_pb2.GenerateResult(
            video=media_to_proto(files.video),
            latents_uri=files.latents_uri,
            settings=sampling_to_proto(files.sampling),
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
