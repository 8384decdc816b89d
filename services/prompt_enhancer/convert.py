"""Enhancement -> EnhanceResponse."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from omnireel.api.v1 import generation_pb2, progress_pb2, prompt_enhancer_pb2
from omnireel.enhancer import Enhancement
from services.common.convert_generation import progress_to_proto
from services.common.convert_mvl import prompt_to_proto
from services.prompt_enhancer.stage import Enhanced


def started_response() -> prompt_enhancer_pb2.EnhanceResponse:
    """The first event: how many tokens it will take is not known."""
    return prompt_enhancer_pb2.EnhanceResponse(
        progress=progress_to_proto(
            progress_pb2.STAGE_ENHANCING, 0, 0, message="rewriting the prompt"
        )
    )


def result_response(enhanced: Enhanced, model_version: str) -> prompt_enhancer_pb2.EnhanceResponse:
    """The one result."""
    result = prompt_enhancer_pb2.EnhanceResult(
        enhancement=enhancement_to_proto(enhanced.enhancement), model_version=model_version
    )
    result.elapsed.FromTimedelta(timedelta(seconds=enhanced.elapsed_s))
    return prompt_enhancer_pb2.EnhanceResponse(result=result)


def enhancement_to_proto(enhancement: Enhancement) -> generation_pb2.Enhancement:
    """What the enhancer made of a prompt; ``structured`` is unset after a fall-back."""
    message = generation_pb2.Enhancement(
        prompt=prompt_to_proto(enhancement.prompt),
        text=enhancement.prompt.text,
        fallback_reason=enhancement.fallback_reason,
        raw_output=enhancement.raw_output,
    )
    if enhancement.structured is not None and not enhancement.fallback_reason:
        fields = asdict(enhancement.structured)
        message.structured.update(
            {key: list(v) if isinstance(v, tuple) else v for key, v in fields.items()}
        )
    return message
