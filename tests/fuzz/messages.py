"""Random and mutated messages for any protobuf type."""

from __future__ import annotations

import random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

MAX_DEPTH = 5
_INTS = (0, 1, -1, 2, 17, 64, 255, 1000, 2**31 - 1, -(2**31))
_LONGS = (*_INTS, 2**63 - 1, -(2**63), 2**53)
_FLOATS = (0.0, 1.0, -1.0, 8.0, 0.5, 1e308, -1e308, 5e-324, float("nan"), float("inf"))
_STRINGS = (
    "", "a", "@A", "@{A}", "a red ball", "a" * 5000, "\0",
    "é\U0001d54f\u202e", "16:9", "0:0", "nan:1",
    "videos/x", "operations/x", "file:///etc/passwd", "http://169.254.169.254/", "../../x", "%s%n",
)  # fmt: skip


class MessageMaker:
    """Fills messages; ``words`` are strings that mean something to the server."""

    def __init__(self, rng: random.Random, words: tuple[str, ...] = ()) -> None:
        self._rng = rng
        self._strings = (*_STRINGS, *words, *words)

    def fill(self, message: Any, depth: int = 0) -> Any:
        """Set some of the fields of ``message``, at random."""
        for field in message.DESCRIPTOR.fields:
            if self._rng.random() < (0.35 if depth else 0.6) and depth < MAX_DEPTH:
                self._set(message, field, depth)
        return message

    def mutated(self, message: Message) -> Message:
        """``message`` with some of its bytes wrong, where that is a message still."""
        data = bytearray(message.SerializeToString())
        for _ in range(self._rng.choice((1, 1, 2, 5))):
            if data:
                data[self._rng.randrange(len(data))] = self._rng.randrange(256)
        made = type(message)()
        try:
            made.ParseFromString(bytes(data))
        except DecodeError:
            return message
        return made

    def _set(self, message: Any, field: FieldDescriptor, depth: int) -> None:
        if field.is_repeated:
            many = getattr(message, field.name)
            for _ in range(self._rng.choice((0, 1, 2, 3, 40))):
                self._add(many, field, depth)
        elif field.message_type is not None:
            inner = getattr(message, field.name)
            inner.SetInParent()
            self.fill(inner, depth + 1)
        else:
            setattr(message, field.name, self._scalar(field))

    def _add(self, many: Any, field: FieldDescriptor, depth: int) -> None:
        entry = field.message_type
        if entry is None:
            many.append(self._scalar(field))
        elif entry.GetOptions().map_entry:
            key, value = (self._scalar(entry.fields_by_name[name]) for name in ("key", "value"))
            many[key] = value
        else:
            self.fill(many.add(), depth + 1)

    def _scalar(self, field: FieldDescriptor) -> Any:
        rng, kind = self._rng, field.cpp_type
        if kind == FieldDescriptor.CPPTYPE_STRING:
            text = rng.choice(self._strings)
            return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            return rng.random() < 0.5
        if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
            return rng.choice(_FLOATS)
        if kind == FieldDescriptor.CPPTYPE_ENUM:
            return rng.choice((0, 1, 2, 3, 7, 999, -1))
        values = _LONGS if kind in (
            FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64
        ) else _INTS  # fmt: skip
        value = rng.choice(values)
        unsigned = kind in (FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64)
        return abs(value) if unsigned else value
