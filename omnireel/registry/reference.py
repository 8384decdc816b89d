"""How a model version is named: ``name/3``, ``name@champion``, or the start of a hash."""

from __future__ import annotations

import re
from dataclasses import dataclass

from omnireel.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HASH = re.compile(r"[0-9a-f]{8,64}")
_EXAMPLES = "write NAME/3, NAME@champion, or at least 8 digits of a hash"


@dataclass(frozen=True)
class Reference:
    """A parsed reference. Only ``name``: no version was chosen. Only ``digest``: by content."""

    name: str = ""
    number: int | None = None
    alias: str = ""
    digest: str = ""


def parse_reference(text: str) -> Reference:
    """Read a reference.

    Raises:
        InvalidInput: it is none.

    """
    if _HASH.fullmatch(text):
        return Reference(digest=text)
    name, at, alias = text.partition("@")
    if at:
        if alias and _NAME.fullmatch(name):
            return Reference(name, alias=alias)
        raise InvalidInput(f"{text!r} is not a model version; {_EXAMPLES}", field="reference")
    name, slash, number = text.partition("/")
    if not _NAME.fullmatch(name) or (slash and not re.fullmatch(r"[1-9][0-9]{0,9}", number)):
        raise InvalidInput(f"{text!r} is not a model version; {_EXAMPLES}", field="reference")
    return Reference(name, number=int(number) if slash else None)


def check_pinned(text: str) -> str:
    """A reference that never moves: ``name/3``.

    Raises:
        InvalidInput: an alias, a hash, or no version.

    """
    if parse_reference(text).number is None:
        raise InvalidInput(
            f"{text!r} is not pinned; use a fixed version, e.g. NAME/3", field="version"
        )
    return text


def check_name(name: str) -> str:
    """A name that a model may be registered under.

    Raises:
        InvalidInput: it could be read as another kind of reference, or MLflow refuses it.

    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} is not a model name; use letters, digits, '.', '_' and '-'", field="name"
        )
    if _HASH.fullmatch(name):
        raise InvalidInput(
            f"{name!r} would be read as the start of a hash; use another name", field="name"
        )
    return name


def check_alias(alias: str) -> str:
    """An alias that a version may be given.

    Raises:
        InvalidInput: MLflow keeps it for itself, or it has other characters.

    """
    if not _NAME.fullmatch(alias) or re.fullmatch(r"v\d+|latest", alias, re.IGNORECASE):
        raise InvalidInput(
            f"{alias!r} is not an alias; use letters, digits, '.', '_' and '-', but not 'latest' "
            "or 'v1'",
            field="alias",
        )
    return alias
