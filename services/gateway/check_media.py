"""Whether the media that a prompt names are there, and are what it says they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from omnireel.api.v1 import media_pb2, mvl_pb2
from omnireel.errors import FieldViolation

FindMedia = Callable[[str], media_pb2.Media | None]
"""Describes the caller's object at a URI; None when there is no such object."""

KIND_WORDS = {mvl_pb2.MEDIA_KIND_IMAGE: "an image", mvl_pb2.MEDIA_KIND_VIDEO: "a video"}


def media_violations(prompt: mvl_pb2.Prompt, find: FindMedia) -> Iterator[FieldViolation]:
    """One violation for each URI that is missing, unknown or of the other kind."""
    for index, declared in enumerate(prompt.inputs):
        field = f"prompt.inputs[{index}]"
        yield from _check(declared.uri, declared.kind, f"{field}.uri", f"{field}.kind", find)
    for index, element in enumerate(prompt.elements):
        field = f"prompt.elements[{index}].uris"
        if not element.uris:
            yield FieldViolation(field, f"@{element.name} has no image; give at least one")
        for number, uri in enumerate(element.uris):
            here = f"{field}[{number}]"
            yield from _check(uri, mvl_pb2.MEDIA_KIND_IMAGE, here, here, find)


def _check(
    uri: str, kind: mvl_pb2.MediaKind.ValueType, uri_field: str, kind_field: str, find: FindMedia
) -> Iterator[FieldViolation]:
    if not uri:
        yield FieldViolation(uri_field, "is empty; send the file with UploadMedia and put its uri")
        return
    media = find(uri)
    if media is None:
        yield FieldViolation(
            uri_field, f"{uri[:200]!r} does not exist, or was deleted; send it with UploadMedia"
        )
    elif kind in KIND_WORDS and media.kind != kind:
        yield FieldViolation(
            kind_field, f"the file is {KIND_WORDS[media.kind]}, not {KIND_WORDS[kind]}"
        )
