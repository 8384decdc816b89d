"""What the judging page saves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from omnireel.errors import InvalidInput, NotFound

FORMAT_VERSION = 1
Choice = Literal["first", "second", "tie"]


@dataclass(frozen=True)
class PageAnswers:
    """One judge's choices by question number; questions that were passed over are not in it."""

    judge: str
    choices: Mapping[int, Choice]


def read_page_answers(path: Path, expected: str, count: int) -> PageAnswers:
    """The file that the page saves.

    Args:
        path: JSON.
        expected: hash of the questions that it must be about.
        count: how many there are.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is another file, about other questions, or has an unknown choice.

    """
    if not path.is_file():
        raise NotFound(f"there is no file {path}; the page's Save button writes one")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version, about, judge = data["format_version"], data["questions"], str(data["judge"])
        choices: dict[int, Choice] = {int(n): _choice(v) for n, v in data["answers"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"{path} is not what the page saves ({error!r})", field="answers"
        ) from error
    if version != FORMAT_VERSION:
        raise InvalidInput(
            f"{path} has format version {version}; {FORMAT_VERSION} is known", field="answers"
        )
    if about != expected:
        raise InvalidInput(
            f"{path} answers other questions ({str(about)[:12]}, not {expected[:12]}); use it "
            "with what its page was made from",
            field="answers",
        )
    if not judge.strip():
        raise InvalidInput(f"{path} does not say who judged", field="judge")
    if wrong := [n for n in choices if not 0 <= n < count]:
        raise InvalidInput(f"{path} answers pair {wrong[0]} of {count}", field="answers")
    return PageAnswers(judge.strip(), choices)


def _choice(value: object) -> Choice:
    for choice in get_args(Choice):
        if value == choice:
            found: Choice = choice
            return found
    raise ValueError(f"{value!r} is no choice")
