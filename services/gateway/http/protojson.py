"""Messages as JSON: protobuf's own mapping, with the names of the ``.proto`` files."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from fastapi.responses import Response
from google.protobuf import json_format
from google.protobuf.message import Message

from omnireel.errors import InvalidInput

M = TypeVar("M", bound=Message)

MAX_DEPTH = 32


def to_dict(message: Message) -> dict[str, Any]:
    """Every field that has no presence is there, also where it is zero or empty."""
    answer: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return answer


def to_json(message: Message) -> str:
    """One line of JSON."""
    return json.dumps(to_dict(message), ensure_ascii=False, separators=(",", ":"))


def answer(message: Message, status: int = 200) -> Response:
    """``message`` as the body of an answer."""
    return Response(to_json(message), status, media_type="application/json")


def read(body: bytes, kind: type[M]) -> M:
    """The message in ``body``; names may be ``snake_case`` or ``lowerCamelCase``.

    Raises:
        InvalidInput: it is not JSON, or not such a message.
    """
    message = kind()
    try:
        json_format.Parse(body.decode("utf-8"), message, max_recursion_depth=MAX_DEPTH)
    except UnicodeDecodeError as error:
        raise InvalidInput("the body is not UTF-8; send JSON in UTF-8", field="body") from error
    except RecursionError as error:
        raise InvalidInput("the body is nested too deeply", field="body") from error
    except json_format.ParseError as error:
        text = " ".join(str(error).split())[:300]
        problem = f"the body is not a {kind.DESCRIPTOR.name}: {text}"
        raise InvalidInput(problem, field="body") from error
    return message
