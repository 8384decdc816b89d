"""A chart's values.yaml: each key with its default and its ``# --`` comment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z0-9_]+):")
_INDENT = 2


@dataclass(frozen=True)
class Value:
    """One documented key: its dotted path, its default, and what it is for."""

    path: str
    default: Any
    meaning: str


class UndocumentedValue(ValueError):
    """A key has no ``# --`` comment above it; the message names it."""


def read_values(path: Path) -> dict[str, Any]:
    """The defaults."""
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(values, dict)
    return values


def documented(path: Path) -> list[Value]:
    """Every key that has a comment, in the file's order.

    Raises:
        UndocumentedValue: a key that holds no documented keys has no comment.
    """
    defaults = read_values(path)
    comments = _comments(path.read_text(encoding="utf-8").splitlines())
    for leaf in _leaves(defaults):
        if not any(leaf == key or leaf.startswith(f"{key}.") for key in comments):
            raise UndocumentedValue(f"{path}: {leaf} has no '# --' comment")
    return [Value(key, _at(defaults, key), meaning) for key, meaning in comments.items()]


def _comments(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    parents: list[str] = []
    comment = ""
    for line in lines:
        text = line.strip()
        if text.startswith("# --"):
            comment = text.removeprefix("# --").strip()
        elif match := _KEY.match(line):
            depth = len(match["indent"]) // _INDENT
            parents = [*parents[:depth], match["key"]]
            if comment:
                found[".".join(parents)] = comment
            comment = ""
    return found


def _leaves(values: dict[str, Any], above: str = "") -> list[str]:
    leaves: list[str] = []
    for key, value in values.items():
        path = f"{above}{key}"
        leaves += _leaves(value, f"{path}.") if isinstance(value, dict) and value else [path]
    return leaves


def _at(values: dict[str, Any], path: str) -> Any:
    found: Any = values
    for key in path.split("."):
        found = found[key]
    return found
