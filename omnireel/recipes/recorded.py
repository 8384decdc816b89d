"""Commands as a card records them, taken apart."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Literal

from omnireel.errors import FailedPrecondition
from omnireel.recipes import RECIPES

Verb = Literal["recipe", "ladder", "average"]


@dataclass(frozen=True)
class Recorded:
    """One command: what it did, with which words."""

    verb: Verb
    recipe: str
    """Empty but for a recipe."""
    words: tuple[str, ...]
    """Without a name before them."""
    options: dict[str, list[str]] = field(default_factory=dict)
    """``--name value`` and ``--flag`` by name; a flag has no value."""

    def one(self, name: str, default: str = "") -> str:
        """The last value of an option."""
        return self.options.get(name, [default])[-1]


def recorded(command: str, label: str) -> Recorded:
    """Take a command of a card apart; ``label`` says whose it is.

    Raises:
        FailedPrecondition: this release cannot run it again.

    """
    words = shlex.split(command)
    if words[:3] == ["omnireel", "models", "average"]:
        return _taken_apart("average", "", words[3:])
    if words[:3] == ["omnireel", "train", "lora"]:
        raise FailedPrecondition(
            f"{label} was trained on a folder of clips; {command!r} repeats it where they are"
        )
    if words[:3] == ["omnireel", "train", "ladder"]:
        found = _taken_apart("ladder", "", words[3:])
    elif words[:2] == ["omnireel", "train"] and len(words) > 2 and words[2] in RECIPES:
        found = _taken_apart("recipe", words[2], words[3:])
    else:
        raise FailedPrecondition(
            f"{label} was made by {command!r}, which is not a recipe of this release"
        )
    if found.words:
        raise FailedPrecondition(f"the command of {label} has an unknown option {found.words[0]!r}")
    return found


def _taken_apart(verb: Verb, recipe: str, words: list[str]) -> Recorded:
    plain: list[str] = []
    options: dict[str, list[str]] = {}
    rest = list(words)
    while rest:
        name = rest.pop(0)
        if not name.startswith("--"):
            plain.append(name)
            continue
        name, equals, value = name.partition("=")
        values = options.setdefault(name, [])
        if equals:
            values.append(value)
        elif rest and not rest[0].startswith("--"):
            values.append(rest.pop(0))
    return Recorded(verb, recipe, tuple(plain), options)
