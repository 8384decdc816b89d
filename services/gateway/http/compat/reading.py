"""Reads the body of ``POST /v1/videos``: a form with a file, or JSON."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from omnireel.api.v1 import media_pb2
from omnireel.errors import FieldViolation, InvalidInput
from services.gateway.http.bodies import bounded, content_type, read_json
from services.gateway.http.compat.requests import CreateRequest, InputReference
from services.gateway.http.door import Door
from services.gateway.http.media import UNKNOWN_TYPES, store_upload

WITH_FILE, WORDS_ONLY = "multipart/form-data", "application/x-www-form-urlencoded"
MAX_FORM_FIELDS = 32
CHUNK_BYTES = 256 << 10
FILE_FIELD = "input_reference"
IN_BRACKETS = re.compile(r"(\w+)\[(\w+)\]")
DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?;base64,")

K = TypeVar("K", bound=BaseModel)
Create = tuple[CreateRequest, media_pb2.Media | None]


async def read_create(door: Door, request: Request, caller: str) -> Create:
    """The request, and its reference, stored."""
    kind = content_type(request)
    if kind == WITH_FILE:
        return await _read_form(door, request, caller)
    if kind == WORDS_ONLY:
        wanted = _checked(await _read_words(door, request))
        return wanted, await _stored(door, caller, wanted.input_reference)
    # A picture may stand in the JSON itself; all of that has to fit into memory.
    limit, patience = door.settings.max_inline_bytes, door.settings.idle_timeout_s
    wanted = fields_of_json(CreateRequest, await read_json(request, limit, patience))
    return wanted, await _stored(door, caller, wanted.input_reference)


def fields_of_json(kind: type[K], body: bytes) -> K:
    """The JSON in ``body``, checked; raises :class:`InvalidInput` with every wrong field."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise _wrong(error) from None


async def _read_form(door: Door, request: Request, caller: str) -> Create:
    settings = door.settings
    largest = door.application.settings.max_upload_bytes + settings.max_inline_bytes
    body = bounded(request, largest, settings.idle_timeout_s)
    async with body.form(
        max_files=1, max_fields=MAX_FORM_FIELDS, max_part_size=settings.max_inline_bytes
    ) as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        files = {name: value for name, value in form.items() if isinstance(value, UploadFile)}
        for name in files.keys() - {FILE_FIELD}:
            raise InvalidInput(f"{name[:80]!r} is not a file of this form", field=name[:80])
        wanted = _checked(fields)
        file = files.get(FILE_FIELD)
        if file is None:
            return wanted, await _stored(door, caller, wanted.input_reference)
        declared = (file.content_type or "").partition(";")[0].strip().lower()
        metadata = media_pb2.UploadMetadata(
            filename=file.filename or "",
            mime_type="" if declared in UNKNOWN_TYPES else declared,
            size_bytes=file.size or 0,
        )
        media = await store_upload(door, caller, metadata, _pieces_of(file), field=FILE_FIELD)
        return wanted, media


async def _read_words(door: Door, request: Request) -> dict[str, str]:
    """The fields of a form that cannot hold a file. To decode them is a thread's work: it takes
    long for what is all escapes."""
    settings = door.settings
    data = await bounded(request, settings.max_json_bytes, settings.idle_timeout_s).body()

    def decode() -> dict[str, str]:
        pairs = parse_qsl(
            data.decode(), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS, errors="strict"
        )
        return dict(pairs)

    try:
        return await door.in_thread(decode)
    except ValueError as error:
        problem = f"the body is no form in UTF-8 with at most {MAX_FORM_FIELDS} fields"
        raise InvalidInput(problem, field="body") from error


def _checked(fields: Mapping[str, str]) -> CreateRequest:
    try:
        return CreateRequest.model_validate(_nested(fields))
    except ValidationError as error:
        raise _wrong(error) from None


def _nested(fields: Mapping[str, str]) -> dict[str, Any]:
    """``a[b]``, as forms write it, is the field ``b`` of ``a``."""
    nested: dict[str, Any] = {}
    for name, value in fields.items():
        match = IN_BRACKETS.fullmatch(name)
        inner = nested.setdefault(match[1], {}) if match else None
        if match and isinstance(inner, dict):
            inner[match[2]] = value
        else:
            nested[name] = value
    return nested


async def _stored(
    door: Door, caller: str, reference: InputReference | None
) -> media_pb2.Media | None:
    if reference is None:
        return None
    uri, url = reference.file_id, reference.image_url
    if (uri is None) == (url is None):
        raise InvalidInput("give either file_id or image_url", field=FILE_FIELD)
    if uri is not None:
        return await door.in_thread(lambda: door.media(caller, uri))
    mime_type, data = _data_url(url or "")
    metadata = media_pb2.UploadMetadata(mime_type=mime_type, size_bytes=len(data))
    return await store_upload(door, caller, metadata, _pieces(data), field=FILE_FIELD)


def _data_url(url: str) -> tuple[str, bytes]:
    """Media type and content."""
    field = f"{FILE_FIELD}.image_url"
    match = DATA_URL.match(url)
    if match is None:
        raise InvalidInput(
            "only data: URLs with base64 are read here; upload the file, or send it in the form",
            field=field,
        )
    try:
        return match[1] or "", base64.b64decode(url[match.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("the data: URL is not valid base64", field=field) from error


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


async def _pieces_of(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(CHUNK_BYTES):
        yield chunk


def _wrong(error: ValidationError) -> InvalidInput:
    violations = tuple(
        FieldViolation(".".join(str(part) for part in item["loc"]) or "body", str(item["msg"]))
        for item in error.errors()
    )
    text = "; ".join(f"{v.field}: {v.description}" for v in violations)
    return InvalidInput(text, violations=violations)
