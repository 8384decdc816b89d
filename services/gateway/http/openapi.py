"""The OpenAPI description: schemas of the JSON mapping, made from the protos' descriptors.

FastAPI describes paths and parameters; bodies that are messages are described here, so that the
page cannot say anything else than what :mod:`services.gateway.http.protojson` reads and writes.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.rpc import status_pb2
from pydantic import BaseModel

Schema = dict[str, Any]
REF = "#/components/schemas/"

_INT64 = {"oneOf": [{"type": "string", "pattern": "^-?[0-9]+$"}, {"type": "integer"}]}
_FLOAT = {"oneOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
_SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_DOUBLE: _FLOAT,
    FieldDescriptor.TYPE_FLOAT: _FLOAT,
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_UINT64: _INT64,
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "format": "byte"},
}
_WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string"}},
        "required": ["@type"],
        "additionalProperties": True,
    },
}
_ERROR = "google.rpc.Status, with ErrorInfo, BadRequest and RetryInfo among its details."


def message_body(kind: type[Message]) -> dict[str, Any]:
    """``openapi_extra`` of a route that reads a message."""
    schema = {"$ref": REF + kind.DESCRIPTOR.name}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {"requestBody": body}


def binary_body() -> dict[str, Any]:
    """``openapi_extra`` of a route that reads bytes."""
    schema = {"type": "string", "format": "binary"}
    content = {"application/octet-stream": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


def json_body(kind: type[BaseModel]) -> dict[str, Any]:
    """``openapi_extra`` of a route that reads JSON of a pydantic model."""
    content = {"application/json": {"schema": _inline(kind)}}
    return {"requestBody": {"required": True, "content": content}}


def form_or_json_body(kind: type[BaseModel], *, file: str) -> dict[str, Any]:
    """The same, or as a form, where the field ``file`` is a file."""
    schema = _inline(kind)
    properties = {**schema["properties"], file: {"type": "string", "format": "binary"}}
    content = {
        "application/json": {"schema": schema},
        "multipart/form-data": {"schema": {**schema, "properties": properties}},
    }
    return {"requestBody": {"required": True, "content": content}}


def message_answer(kind: type[Message]) -> dict[str, Any]:
    """Arguments of a route that answers with a message."""
    return _answer("application/json", kind)


def event_stream(kind: type[Message]) -> dict[str, Any]:
    """Arguments of a route that answers with events, each a message."""
    arguments = _answer("text/event-stream", kind)
    arguments["responses"][204] = {"description": "The last event was seen already."}
    return arguments


def describe(app: FastAPI, messages: list[type[Message]]) -> Schema:
    """The whole description; ``messages`` are those that the routes name."""
    made = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)  # FastAPI's own form of errors, which is not ours
    for kind in [*messages, status_pb2.Status]:
        _add(kind.DESCRIPTOR, schemas)
    error = {"application/json": {"schema": {"$ref": f"{REF}Status"}}}
    for path, operations in made["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            if path.startswith("/api/"):
                operation["responses"]["default"] = {"description": _ERROR, "content": error}
    return made


def _inline(kind: type[BaseModel]) -> Schema:
    """The schema with what it refers to put into its place."""
    schema = kind.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return resolved(definitions[node["$ref"].rpartition("/")[2]])
        return {key: resolved(value) for key, value in node.items()}

    answer: Schema = resolved(schema)
    return answer


def _answer(media_type: str, kind: type[Message]) -> dict[str, Any]:
    name = kind.DESCRIPTOR.name
    content = {media_type: {"schema": {"$ref": REF + name}}}
    return {
        "response_model": None,
        "responses": {200: {"description": name, "content": content}},
    }


def _add(descriptor: Descriptor, schemas: dict[str, Schema]) -> None:
    """Describe a message and, recursively, all that it is made of."""
    if descriptor.name in schemas:
        return
    properties: dict[str, Schema] = {}
    schemas[descriptor.name] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    for field in descriptor.fields:
        properties[field.name] = _field(field, schemas)


def _field(field: FieldDescriptor, schemas: dict[str, Schema]) -> Schema:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        value = _single(entry.fields_by_name["value"], schemas)
        return {"type": "object", "additionalProperties": value}
    if field.is_repeated:
        return {"type": "array", "items": _single(field, schemas)}
    return _single(field, schemas)


def _single(field: FieldDescriptor, schemas: dict[str, Schema]) -> Schema:
    if field.message_type is not None:
        known = _WELL_KNOWN.get(field.message_type.full_name)
        if known is not None:
            return known
        _add(field.message_type, schemas)
        return {"$ref": REF + field.message_type.name}
    if field.enum_type is not None:
        return _enum(field.enum_type, schemas)
    return _SCALARS[field.type]


def _enum(descriptor: EnumDescriptor, schemas: dict[str, Schema]) -> Schema:
    names = [value.name for value in descriptor.values]
    schemas[descriptor.name] = {"type": "string", "enum": names}
    return {"$ref": REF + descriptor.name}
