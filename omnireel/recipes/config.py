"""Recipes as data: to JSON, back, flat, and with single fields overridden from the command line.

Every conversion follows the dataclass's type hints, so a wrong type is found here with the name of
the field, not somewhere in the training loop.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from omnireel.errors import InvalidInput
from omnireel.shipped import located, portable

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Dataclasses to JSON data, recursively."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(v) for v in value]
    if isinstance(value, Enum):
        return value.value
    return portable(value) if isinstance(value, Path) else value


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted field name -> JSON value; tuples stay whole."""
    flat: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        child, name = getattr(value, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(child):
            flat |= flatten(child, f"{name}.")
        else:
            flat[name] = to_json(child)
    return flat


def from_json(kind: Any, data: Any, field: str = "") -> Any:
    """JSON data to the annotated type ``kind``.

    Raises:
        InvalidInput: a value of the wrong type, or an unknown or missing field; the message names
            the dotted field.

    """
    if dataclasses.is_dataclass(kind):
        return _dataclass_from(kind, data, field)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return data
    if origin in (typing.Union, types.UnionType):
        return _union_from(arguments, data, field)
    if origin is typing.Literal:
        if data in arguments:
            return data
        raise _wrong(field, data, "one of " + ", ".join(map(str, arguments)))
    if origin is tuple:
        return _tuple_from(arguments, data, field)
    if origin in (dict, Mapping) or kind is dict:
        if isinstance(data, Mapping):
            element = arguments[1] if len(arguments) == 2 else Any
            return {str(k): from_json(element, v, f"{field}.{k}") for k, v in data.items()}
        raise _wrong(field, data, "an object")
    if isinstance(kind, type):
        return _plain_from(kind, data, field)
    raise _wrong(field, data, str(kind))


def override(config: T, assignments: Sequence[str]) -> T:
    """A copy of ``config`` with ``a.b=value`` assignments applied in order.

    Values are JSON where they parse as JSON (``3``, ``true``, ``[1, 2]``) and text otherwise.

    Raises:
        InvalidInput: a malformed assignment, an unknown field (the nearest one is suggested), or
            a value of the wrong type.

    """
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        if not separator or not name:
            raise InvalidInput(
                f"--set takes field=value, not {assignment!r}; for example trainer.num_steps=500",
                field="set",
            )
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        config = _replace(config, name.split("."), value, name, config)
    return config


def _replace(config: Any, path: list[str], value: Any, full: str, root: Any) -> Any:
    names = {f.name for f in dataclasses.fields(config)}
    if path[0] not in names:
        raise _unknown(full, root)
    child = getattr(config, path[0])
    if len(path) > 1:
        if not dataclasses.is_dataclass(child):
            raise _unknown(full, root)
        new = _replace(child, path[1:], value, full, root)
    else:
        new = from_json(typing.get_type_hints(type(config))[path[0]], value, full)
    return dataclasses.replace(config, **{path[0]: new})


def _unknown(name: str, root: Any) -> InvalidInput:
    known = list(flatten(root))
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or [
        k for k in known if k.rsplit(".", 1)[-1] == name.rsplit(".", 1)[-1]
    ]
    hint = f"did you mean {' or '.join(near)}?" if near else f"the fields are {', '.join(known)}"
    return InvalidInput(f"the recipe has no field {name!r}; {hint}", field=name)


def _dataclass_from(kind: Any, data: Any, field: str) -> Any:
    if not isinstance(data, Mapping):
        raise _wrong(field, data, f"an object with the fields of {kind.__name__}")
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for name in data:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InvalidInput(
                f"unknown field {_join(field, name)}{hint}", field=_join(field, name)
            )
    values = {n: from_json(hints[n], v, _join(field, n)) for n, v in data.items()}
    for name, spec in fields.items():
        required = (
            spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING
        )
        if required and name not in values:
            raise InvalidInput(f"{_join(field, name)} is missing", field=_join(field, name))
    return kind(**values)


def _union_from(arguments: tuple[Any, ...], data: Any, field: str) -> Any:
    if data is None and type(None) in arguments:
        return None
    errors = []
    for argument in arguments:
        if argument is type(None):
            continue
        try:
            return from_json(argument, data, field)
        except InvalidInput as error:
            errors.append(error)
    raise errors[-1]


def _tuple_from(arguments: tuple[Any, ...], data: Any, field: str) -> Any:
    if not isinstance(data, (list, tuple)):
        raise _wrong(field, data, "a list")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(from_json(arguments[0], v, f"{field}[{i}]") for i, v in enumerate(data))
    if len(arguments) != len(data):
        raise _wrong(field, data, f"a list of {len(arguments)} values")
    return tuple(
        from_json(a, v, f"{field}[{i}]")
        for i, (a, v) in enumerate(zip(arguments, data, strict=True))
    )


def _plain_from(kind: type, data: Any, field: str) -> Any:
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if kind is int and isinstance(data, float) and data.is_integer():
        return int(data)
    if kind is str and isinstance(data, (int, float)) and not isinstance(data, bool):
        return str(data)
    if issubclass(kind, Path) and isinstance(data, str):
        return located(kind(data))
    if issubclass(kind, Enum):
        try:
            return kind(data)
        except ValueError as error:
            raise _wrong(field, data, "one of " + ", ".join(str(k.value) for k in kind)) from error
    if isinstance(data, kind) and not (kind is int and isinstance(data, bool)):
        return data
    raise _wrong(field, data, kind.__name__)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _wrong(field: str, data: Any, expected: str) -> InvalidInput:
    return InvalidInput(f"{field or 'value'} must be {expected}, not {data!r}", field=field)
