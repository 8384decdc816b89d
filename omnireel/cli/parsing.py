"""Reading the small languages of option values: NAME=VALUE, 64x64, settings in one word."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from omnireel.errors import InvalidInput

_SIZE = re.compile(r"(\d{1,5})[xX](\d{1,5})")
_BETWEEN_SETTINGS = re.compile(r"\s+(?=[\w.*-]+=)")


def named_values(pairs: Iterable[str], option: str, example: str) -> dict[str, str]:
    """``["Girl=a.png", ...]`` as a mapping in order."""
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise InvalidInput(f"{pair!r} is not NAME=VALUE; write {example}", field=option)
        if name in values:
            raise InvalidInput(f"{name!r} is given twice; give it once", field=option)
        values[name] = value
    return values


def named_paths(pairs: Iterable[str], option: str, example: str) -> dict[str, Path]:
    """``["Girl=a.png", ...]`` as paths."""
    return {name: Path(value) for name, value in named_values(pairs, option, example).items()}


def named_path_lists(pairs: Iterable[str], option: str, example: str) -> dict[str, list[Path]]:
    """``["Girl=a.png,b.png", ...]`` as lists of paths."""
    lists = named_values(pairs, option, example)
    return {name: [Path(p) for p in value.split(",") if p] for name, value in lists.items()}


def named_numbers(pairs: Iterable[str], option: str, example: str) -> dict[str, float]:
    """``["text=5.0", ...]`` as numbers."""
    numbers: dict[str, float] = {}
    for name, value in named_values(pairs, option, example).items():
        try:
            numbers[name] = float(value)
        except ValueError:
            raise InvalidInput(
                f"{value!r} is not a number; write {example}", field=option
            ) from None
    return numbers


def size(text: str) -> tuple[int, int]:
    """``64x48`` as (width, height)."""
    match = _SIZE.fullmatch(text)
    if not match or "0" in (match[1].lstrip("0") or "0", match[2].lstrip("0") or "0"):
        raise InvalidInput(
            f"{text!r} is not a size; write WIDTHxHEIGHT, e.g. 64x64", field="--size"
        )
    return int(match[1]), int(match[2])


def several_settings(texts: Iterable[str]) -> tuple[str, ...]:
    """``["a=1 b.c=[2, 3]", "d=4", ""]`` as ``("a=1", "b.c=[2, 3]", "d=4")``.

    A step of a workflow has one word for all settings, and that may be empty. What follows a space
    is a setting of its own when it begins with ``name=``; so JSON values may have spaces.
    """
    parts = (part for text in texts for part in _BETWEEN_SETTINGS.split(text.strip()))
    return tuple(part for part in parts if part)
