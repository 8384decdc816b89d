"""Settings, progress, media, timings and model facts between the wire and the domain."""

from __future__ import annotations

import time
from datetime import timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from omnireel.api.v1 import capabilities_pb2, generation_pb2, media_pb2, progress_pb2
from omnireel.errors import FailedPrecondition, FieldViolation, InvalidInput
from omnireel.types import VideoFormat
from services.common.artifacts import StoredMedia
from services.common.capability_titles import CAPABILITY_TITLES
from services.common.convert_mvl import kind_to_proto
from services.common.model_info import GuidanceScales, ModelCapabilities, ModelInfo, Sampling

MAX_SEED = 2**63 - 1
_GUIDANCE_RANGE = (0.0, 30.0)


def format_from_proto(message: generation_pb2.VideoFormat) -> VideoFormat:
    """An exact format; whether a model serves it is the model's to say."""
    return VideoFormat(message.width, message.height, message.num_frames, message.fps)


def format_to_proto(fmt: VideoFormat) -> generation_pb2.VideoFormat:
    """An exact format on the wire."""
    return generation_pb2.VideoFormat(
        width=fmt.width, height=fmt.height, num_frames=fmt.num_frames, fps=fmt.fps
    )


def sampling_from_proto(
    message: generation_pb2.GenerationSettings, *, field: str = "settings"
) -> Sampling:
    """Complete settings, as internal calls carry them: an exact format and a seed.

    Raises:
        InvalidInput: naming every field that is missing or out of range.
    """
    wrong: list[FieldViolation] = []
    fmt = message.format
    if not message.HasField("format"):
        wrong.append(FieldViolation(f"{field}.format", "give the exact format"))
    elif min(fmt.width, fmt.height, fmt.num_frames) < 1 or not 0 < fmt.fps <= 1000:
        wrong.append(
            FieldViolation(f"{field}.format", "width, height, num_frames and fps must be above 0")
        )
    if not message.HasField("seed"):
        wrong.append(FieldViolation(f"{field}.seed", "draw a seed"))
    elif message.seed > MAX_SEED:
        wrong.append(FieldViolation(f"{field}.seed", f"must be 0..{MAX_SEED}"))
    wrong += [
        FieldViolation(f"{field}.{name}", "must not be negative")
        for name in ("num_inference_steps", "num_upscale_steps")
        if getattr(message, name) < 0
    ]
    scales: dict[str, float | None] = {}
    low, high = _GUIDANCE_RANGE
    for name in ("text", "image", "video"):
        given = message.guidance.HasField(name)
        scales[name] = getattr(message.guidance, name) if given else None
        # Written so that NaN is refused too.
        if given and not low <= getattr(message.guidance, name) <= high:
            wrong.append(FieldViolation(f"{field}.guidance.{name}", f"must be {low:g}..{high:g}"))
    if wrong:
        text = "; ".join(f"{v.field}: {v.description}" for v in wrong)
        raise InvalidInput(text, violations=tuple(wrong))
    return Sampling(
        format=format_from_proto(fmt),
        seed=message.seed,
        num_inference_steps=message.num_inference_steps,
        num_upscale_steps=message.num_upscale_steps,
        guidance=GuidanceScales(**scales),
    )


def sampling_to_proto(sampling: Sampling) -> generation_pb2.GenerationSettings:
    """Settings as used, on the wire."""
    guidance = sampling.guidance
    return generation_pb2.GenerationSettings(
        format=format_to_proto(sampling.format),
        seed=sampling.seed,
        num_inference_steps=sampling.num_inference_steps,
        num_upscale_steps=sampling.num_upscale_steps,
        guidance=generation_pb2.Guidance(
            text=guidance.text, image=guidance.image, video=guidance.video
        ),
    )


def media_to_proto(media: StoredMedia) -> media_pb2.Media:
    """A stored object on the wire."""
    return media_pb2.Media(
        uri=media.uri,
        kind=kind_to_proto(media.kind),
        mime_type=media.mime_type,
        size_bytes=media.size_bytes,
        sha256=media.sha256,
        width=media.width,
        height=media.height,
        num_frames=media.num_frames,
        fps=media.fps,
        has_audio=media.has_audio,
    )


def progress_to_proto(
    stage: progress_pb2.Stage.ValueType,
    step: int,
    num_steps: int,
    *,
    eta_s: float | None = None,
    preview_uri: str = "",
    message: str = "",
) -> progress_pb2.Progress:
    """How far one internal call is."""
    progress = progress_pb2.Progress(
        stage=stage,
        step=step,
        num_steps=num_steps,
        fraction=step / num_steps if num_steps else 0.0,
        preview_uri=preview_uri,
        message=message,
    )
    progress.update_time.GetCurrentTime()
    if eta_s is not None:
        progress.eta.FromTimedelta(timedelta(seconds=eta_s))
    return progress


def timing_to_proto(
    stage: progress_pb2.Stage.ValueType,
    *,
    elapsed_s: float,
    codec_s: float = 0.0,
    num_function_evaluations: int = 0,
) -> progress_pb2.StageTiming:
    """What a stage that ends now took."""
    timing = progress_pb2.StageTiming(
        stage=stage, num_function_evaluations=num_function_evaluations
    )
    timing.start_time.FromNanoseconds(time.time_ns() - round(elapsed_s * 1e9))
    timing.elapsed.FromTimedelta(timedelta(seconds=elapsed_s))
    timing.codec_elapsed.FromTimedelta(timedelta(seconds=codec_s))
    return timing


def warnings_to_proto(sentences: tuple[tuple[str, str], ...]) -> list[progress_pb2.Warning]:
    """``(code, sentence)`` pairs on the wire."""
    return [progress_pb2.Warning(code=code, message=text) for code, text in sentences]


def deadline_of(job: generation_pb2.JobContext) -> float | None:
    """The job's deadline in seconds of the epoch, if it has one."""
    deadline: Timestamp = job.deadline
    return deadline.ToNanoseconds() / 1e9 if job.HasField("deadline") else None


VERSION_MISMATCH = "MODEL_VERSION_MISMATCH"


def check_version(wanted: str, info: ModelInfo) -> None:
    """Refuse a pinned version that is not the one that runs."""
    if wanted and wanted != info.version:
        raise FailedPrecondition(
            f"the job pins {info.kind} version {wanted!r}, but {info.version!r} is deployed; "
            f"resubmit it with {info.version!r}",
            reason=VERSION_MISMATCH,
        )


def model_info_to_proto(info: ModelInfo) -> capabilities_pb2.ModelInfo:
    """What a model server says about itself, on the wire."""
    return capabilities_pb2.ModelInfo(
        kind=info.kind,
        name=info.name,
        version=info.version,
        num_parameters=info.num_parameters,
        device=info.device,
        weights_sha256=info.weights_sha256,
        license=info.license,
        capabilities=_capabilities_to_proto(info),
    )


def _capabilities_to_proto(info: ModelInfo) -> capabilities_pb2.Capabilities:
    what: ModelCapabilities = info.capabilities
    limits = what.prompt_limits
    message = capabilities_pb2.Capabilities(
        tasks=[
            capabilities_pb2.Task(id=task, title=CAPABILITY_TITLES.get(task, ""), trained=True)
            for task in what.tasks
        ],
        sizes=[
            capabilities_pb2.Size(width=w, height=h, aspect_ratio=aspect_ratio(w, h))
            for w, h in what.sizes
        ],
        fps=what.fps,
        upscale_factor=what.upscale_factor,
        can_enhance=what.can_enhance,
        guidance_baked_in=what.guidance_baked_in,
        limits=capabilities_pb2.Limits(
            max_prompt_chars=limits.max_characters,
            max_images=limits.max_images,
            max_videos=limits.max_videos,
            max_elements=limits.max_elements,
            max_images_per_element=limits.max_images_per_element,
            max_inference_steps=what.max_inference_steps,
        ),
    )
    setattr(message.model_versions, info.kind, info.version)
    if what.sizes:
        message.num_frames.min = what.min_frames
        message.num_frames.max = what.max_frames
        message.num_frames.step = what.frame_step
    if what.defaults is not None:
        message.defaults.CopyFrom(sampling_to_proto(what.defaults))
        message.defaults.ClearField("seed")
    return message


def aspect_ratio(width: int, height: int) -> str:
    """The usual name nearest to ``width / height``: ``16:9`` for 112 x 64."""
    usual = ("1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "3:2", "2:3")

    def distance(name: str) -> float:
        w, _, h = name.partition(":")
        return abs(width / height / (int(w) / int(h)) - 1)

    return min(usual, key=distance)
