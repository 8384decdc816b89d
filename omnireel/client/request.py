"""What a caller says -> CreateVideoRequest. No network in here; both clients share it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from omnireel.api.v1 import generation_pb2, media_pb2, mvl_pb2, video_pb2
from omnireel.errors import InvalidInput
from omnireel.mvl import Element, Input, MentionPart, Prompt, parse
from omnireel.types import MediaKind, Role, VideoFormat

MediaSource = str | Path | bytes | media_pb2.Media
"""A path, the bytes themselves, or something uploaded before."""

_MAX_SEED = 2**63 - 1
_MIN_INT32, _MAX_INT32 = -(2**31), 2**31 - 1
_MAX_TIMEOUT_S = 100 * 365 * 86_400


@dataclass(frozen=True)
class VideoOptions:
    """Everything CreateVideo takes besides the prompt. What is left out is the server's choice.

    ``format`` is exact; ``aspect_ratio`` (``16:9``) with ``duration_s`` asks for the nearest.
    ``guidance`` has the keys ``text``, ``image``, ``video`` (1 = none). ``timeout_s`` counts from
    the moment of the call, after which the job fails. ``model_versions`` has the keys
    ``prompt_enhancer``, ``generator``, ``super_resolver``. ``request_id`` makes repeated calls one
    job (left out: a fresh one).
    """

    format: VideoFormat | None = None
    aspect_ratio: str = ""
    duration_s: float = 0.0
    seed: int | None = None
    num_inference_steps: int = 0
    num_upscale_steps: int = 0
    guidance: Mapping[str, float] = field(default_factory=dict)
    enhance: bool | None = None
    upscale: bool | None = None
    priority: int = 0
    timeout_s: float | None = None
    preview_every_steps: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    model_versions: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""

    def __post_init__(self) -> None:
        if self.format and (self.aspect_ratio or self.duration_s):
            raise InvalidInput(
                "give either an exact format or an aspect ratio with a duration", field="format"
            )
        if self.seed is not None and not 0 <= self.seed <= _MAX_SEED:
            raise InvalidInput(f"{self.seed} is out of range; use 0 .. 2^63 - 1", field="seed")
        for name in ("num_inference_steps", "num_upscale_steps", "preview_every_steps"):
            _check_int32(getattr(self, name), name, least=0)
        _check_int32(self.priority, "priority")
        if self.format:
            for name in ("width", "height", "num_frames"):
                _check_int32(getattr(self.format, name), f"format.{name}")
        if self.timeout_s is not None and not 0 < self.timeout_s <= _MAX_TIMEOUT_S:
            raise InvalidInput(
                f"{self.timeout_s:g} is out of range; use more than 0 and at most "
                f"{_MAX_TIMEOUT_S} seconds",
                field="timeout_s",
            )
        for name, value in self.labels.items():
            if not isinstance(name, str) or not isinstance(value, str):
                raise InvalidInput(
                    f"{name!r}: {value!r} is not a label; names and values are text",
                    field=f"labels.{name}",
                )
        _check_keys(self.guidance, {"text", "image", "video"}, "guidance")
        _check_keys(
            self.model_versions,
            {"prompt_enhancer", "generator", "super_resolver"},
            "model_versions",
        )


@dataclass(frozen=True)
class Draft:
    """A checked prompt whose media are not uploaded yet: ``sources`` by declared name."""

    prompt: Prompt
    sources: Mapping[str, tuple[MediaSource, ...]]

    def upload_fields(self) -> Iterator[tuple[str, list[tuple[str, MediaSource]]]]:
        """By declared name, every medium with the name that errors about it carry."""
        for name, sources in self.sources.items():
            fields = [name] if len(sources) == 1 else [f"{name}[{i}]" for i in range(len(sources))]
            yield name, list(zip(fields, sources, strict=True))

    def with_uris(self, uris: Mapping[str, tuple[str, ...]]) -> Prompt:
        """The prompt with the place of every medium filled in."""
        return replace(
            self.prompt,
            inputs=tuple(replace(i, uri=uris[i.name][0]) for i in self.prompt.inputs),
            elements=tuple(replace(e, uris=uris[e.name]) for e in self.prompt.elements),
        )


def draft(
    text: str,
    *,
    images: Mapping[str, MediaSource] | None = None,
    videos: Mapping[str, MediaSource] | None = None,
    elements: Mapping[str, Sequence[MediaSource]] | None = None,
    roles: Mapping[str, Role | str] | None = None,
    descriptions: Mapping[str, str] | None = None,
) -> Draft:
    """Parse ``text`` against what is declared, so that a mistake shows before any upload.

    ``roles`` are by name of an image or video (default: reference), ``descriptions`` by name of an
    element.

    Raises:
        PromptSyntaxError, InvalidInput: as `omnireel.mvl.parse`.

    """
    images, videos, elements = images or {}, videos or {}, elements or {}
    roles, descriptions = roles or {}, descriptions or {}
    _check_keys(roles, {*images, *videos}, "roles")
    _check_keys(descriptions, set(elements), "descriptions")
    inputs = [
        Input(name, kind, _role(name, roles.get(name, Role.REFERENCE)))
        for kind, declared in ((MediaKind.IMAGE, images), (MediaKind.VIDEO, videos))
        for name in declared
    ]
    subjects = [Element(name, description=descriptions.get(name, "")) for name in elements]
    for name, pictures in elements.items():
        if isinstance(pictures, MediaSource):
            raise InvalidInput(
                f"@{name} needs a list of images; write [...] around a single one",
                field=f"elements.{name}",
            )
        if not pictures:
            raise InvalidInput(f"@{name} has no image; give at least one", field=f"elements.{name}")
    prompt = parse(text, inputs, subjects)
    sources: dict[str, tuple[MediaSource, ...]] = {
        name: (source,) for name, source in [*images.items(), *videos.items()]
    }
    sources.update({name: tuple(pictures) for name, pictures in elements.items()})
    return Draft(prompt, sources)


def create_request(prompt: Prompt, options: VideoOptions) -> video_pb2.CreateVideoRequest:
    """The message for a prompt whose media are uploaded."""
    request = video_pb2.CreateVideoRequest(
        request_id=options.request_id or str(uuid.uuid4()),
        prompt=prompt_to_proto(prompt),
        settings=_settings(options),
        priority=options.priority,
        model_versions=generation_pb2.ModelVersions(**options.model_versions),
        enhance=options.enhance,
        upscale=options.upscale,
        preview_every_steps=options.preview_every_steps,
        labels=options.labels,
    )
    if options.timeout_s is not None:
        request.deadline.FromMilliseconds(round((time.time() + options.timeout_s) * 1000))
    return request


def prompt_to_proto(prompt: Prompt) -> mvl_pb2.Prompt:
    """The wire form of a parsed prompt, as parts."""
    return mvl_pb2.Prompt(
        parts=[
            mvl_pb2.Part(mention=part.name)
            if isinstance(part, MentionPart)
            else mvl_pb2.Part(text=part.text)
            for part in prompt.parts
        ],
        inputs=[
            mvl_pb2.Input(
                name=declared.name,
                kind=mvl_pb2.MediaKind.Value(f"MEDIA_KIND_{declared.kind.name}"),
                role=mvl_pb2.Role.Value(f"ROLE_{declared.role.name}"),
                uri=declared.uri,
            )
            for declared in prompt.inputs
        ],
        elements=[
            mvl_pb2.Element(name=e.name, uris=e.uris, description=e.description)
            for e in prompt.elements
        ],
    )


def video_name(name: str) -> str:
    """``videos/{id}`` from that, from ``operations/{id}`` or from a bare id."""
    identity = name.removeprefix("videos/").removeprefix("operations/")
    if not identity or "/" in identity:
        raise InvalidInput(
            f"{name!r} is not the name of a video; write videos/ID or ID", field="name"
        )
    return f"videos/{identity}"


def operation_name(name: str) -> str:
    """``operations/{id}`` of the same video."""
    return video_name(name).replace("videos/", "operations/", 1)


def _settings(options: VideoOptions) -> generation_pb2.GenerationSettings:
    settings = generation_pb2.GenerationSettings(
        seed=options.seed,
        num_inference_steps=options.num_inference_steps,
        num_upscale_steps=options.num_upscale_steps,
        guidance=generation_pb2.Guidance(**options.guidance),
    )
    if options.format:
        settings.format.width = options.format.width
        settings.format.height = options.format.height
        settings.format.num_frames = options.format.num_frames
        settings.format.fps = options.format.fps
    elif options.aspect_ratio or options.duration_s:
        settings.shape.aspect_ratio = options.aspect_ratio
        settings.shape.duration_s = options.duration_s
    return settings


def _role(name: str, role: Role | str) -> Role:
    internal = (Role.TEXT, Role.ELEMENT, Role.LOW_RESOLUTION, Role.TARGET)
    if role in tuple(Role) and role not in internal:
        return Role(role)
    known = ", ".join(r for r in Role if r not in internal)
    raise InvalidInput(f"{str(role)!r} is not a role; use one of: {known}", field=f"roles.{name}")


def _check_int32(value: int, field: str, least: int = _MIN_INT32) -> None:
    if not least <= value <= _MAX_INT32:
        raise InvalidInput(f"{value} is out of range; use {least} .. {_MAX_INT32}", field=field)


def _check_keys(given: Mapping[str, object], known: set[str], where: str) -> None:
    for name in given:
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise InvalidInput(
                f"{name!r} is unknown here; known names: {names}", field=f"{where}.{name}"
            )
