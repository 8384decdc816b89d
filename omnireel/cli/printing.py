"""What the command line prints: results, and a failure as one line."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console

from omnireel.errors import Cancelled, InvalidInput, OmnireelError, PromptSyntaxError

EXIT_FAILURE = 1
EXIT_INVALID_INPUT = 2
EXIT_INTERRUPTED = 130

_NO_ANSWER = "NO_ANSWER"


def out() -> Console:
    """Standard output as it is now (tests replace it)."""
    return _console(sys.stdout)


def err() -> Console:
    """Standard error as it is now."""
    return _console(sys.stderr)


def exit_code(error: BaseException) -> int:
    """2 for a mistake of the user, 130 for an interruption, else 1."""
    if isinstance(error, InvalidInput):
        return EXIT_INVALID_INPUT
    return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_FAILURE


def report(error: BaseException) -> None:
    """Print one red line that says what is wrong, where, and what helps."""
    notes: list[str] = getattr(error, "__notes__", [])
    if isinstance(error, KeyboardInterrupt):
        for line in (*notes, "interrupted"):
            err().print(line, style="yellow")
        return
    style = "yellow" if isinstance(error, Cancelled) else "bold red"
    line = "; ".join([describe(error), *notes])
    err().print("error: " + " ".join(line.split()), style=style)


def describe(error: BaseException) -> str:
    """The line, without colour."""
    if not isinstance(error, OmnireelError):
        kind = type(error).__name__
        return f"{kind}: {error} (this is a fault of omnireel; run with --debug for the details)"
    if error.reason == _NO_ANSWER:
        where = error.message.partition(" (")[0]
        return f"{where}; start one with `omnireel up`, or name another with --address"
    text = error.message
    if isinstance(error, InvalidInput) and error.violations:
        wrong = [f"{v.field}: {v.description}" for v in error.violations]
        text = error.message if _says_it_all(error, wrong) else "; ".join(wrong)
    retry_after_s = getattr(error, "retry_after_s", None)
    if not retry_after_s or "try again" in text:
        return text
    return f"{text}; try again in {retry_after_s:g} s"


def _console(file: TextIO) -> Console:
    # Prompts, paths and names are printed as they are: brackets and colons in them mean nothing.
    return Console(file=file, highlight=False, soft_wrap=True, markup=False, emoji=False)


def _says_it_all(error: InvalidInput, wrong: list[str]) -> bool:
    """Whether the message has fields and remedies in it already."""
    if isinstance(error, PromptSyntaxError):
        return False
    return all(line in error.message for line in wrong)
