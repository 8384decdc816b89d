"""A request as people send it -> the same request with nothing left to decide."""

from __future__ import annotations

import secrets

from omnireel.api.v1 import capabilities_pb2, generation_pb2, mvl_pb2, video_pb2
from omnireel.errors import FieldViolation, InvalidInput
from services.common.convert_mvl import prompt_from_proto, prompt_to_proto
from services.gateway.capabilities import prompt_limits
from services.gateway.check_fields import check_versions, field_violations
from services.gateway.check_media import FindMedia, media_violations
from services.gateway.check_tasks import task_violations
from services.gateway.output_format import resolve_format

DRAWN_SEEDS = 2**32
"""Seeds that the server draws are shorter than they may be, for people who type them again."""


def resolve(
    request: video_pb2.CreateVideoRequest,
    can: capabilities_pb2.Capabilities,
    find: FindMedia,
    now: float,
) -> video_pb2.CreateVideoRequest:
    """Check everything up front and fill in every default.

    The result has its prompt as parts, an exact format, a seed, all steps and scales, says whether
    to enhance and to upscale, and pins the versions of the models that it needs.

    Raises:
        InvalidInput: with a violation for every wrong field; where the prompt's text is all that is
            wrong, a :class:`~omnireel.errors.PromptSyntaxError` with its position.
        FailedPrecondition: a pinned model version is not served.
    """
    wrong: list[InvalidInput] = []
    plain = tuple(field_violations(request, can, now))
    if plain:
        wrong.append(_joined(plain))
    untrained = tuple(task_violations(request.prompt, can))
    if untrained:
        wrong.append(_joined(untrained))
    resolved = video_pb2.CreateVideoRequest()
    resolved.CopyFrom(request)
    try:
        prompt = prompt_from_proto(request.prompt, prompt_limits(can.limits), field="prompt")
        resolved.prompt.CopyFrom(prompt_to_proto(prompt))
    except InvalidInput as error:
        wrong.append(error)
    media = tuple(media_violations(request.prompt, find))
    if media:
        wrong.append(_joined(media))
    try:
        resolved.settings.CopyFrom(_settings(request, resolved.prompt, can, find))
    except InvalidInput as error:
        wrong.append(error)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise _joined(tuple(violation for error in wrong for violation in error.violations))
    check_versions(request.model_versions, can.model_versions)
    if not request.HasField("enhance"):
        resolved.enhance = can.can_enhance
    if not request.HasField("upscale"):
        resolved.upscale = can.upscale_factor > 0
    _pin_versions(resolved, can.model_versions)
    return resolved


def _pin_versions(
    resolved: video_pb2.CreateVideoRequest, served: generation_pb2.ModelVersions
) -> None:
    """A job runs on the models that were served when it was accepted, whatever comes later."""
    pinned = resolved.model_versions
    pinned.generator = served.generator
    if resolved.enhance:
        pinned.prompt_enhancer = served.prompt_enhancer
    if resolved.upscale:
        pinned.super_resolver = served.super_resolver


def _settings(
    request: video_pb2.CreateVideoRequest,
    prompt: mvl_pb2.Prompt,
    can: capabilities_pb2.Capabilities,
    find: FindMedia,
) -> generation_pb2.GenerationSettings:
    given, defaults = request.settings, can.defaults
    settings = generation_pb2.GenerationSettings(
        format=resolve_format(given, prompt, can, find),
        seed=given.seed if given.HasField("seed") else secrets.randbelow(DRAWN_SEEDS),
        num_inference_steps=given.num_inference_steps or defaults.num_inference_steps,
        num_upscale_steps=given.num_upscale_steps or defaults.num_upscale_steps,
        guidance=defaults.guidance,
    )
    settings.guidance.MergeFrom(given.guidance)
    return settings


def _joined(violations: tuple[FieldViolation, ...]) -> InvalidInput:
    text = "; ".join(f"{v.field}: {v.description}" for v in violations)
    return InvalidInput(text, violations=violations)
