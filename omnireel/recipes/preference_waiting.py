"""Waiting for the answers of people: a folder that files arrive in."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from omnireel.errors import DeadlineExceeded, InvalidInput, OmnireelError
from omnireel.recipes.preference_answers import read_answers
from omnireel.recipes.preference_questions import questions_hash
from omnireel.train.preferences import PreferenceSet


@dataclass(frozen=True)
class WaitConfig:
    """Until when, and how often the folder is looked at."""

    judges: int = 1
    """Answers of so many different people end the waiting."""
    hours: float = 72.0
    poll_s: float = 15.0

    def __post_init__(self) -> None:
        if self.judges < 1:
            raise InvalidInput("at least one judge is needed", field="judges")
        if self.hours <= 0 or self.poll_s <= 0:
            raise InvalidInput("hours must be above 0", field="hours")


def wait_for_answers(
    questions: Path, arriving: Path, out: Path, config: WaitConfig, say: Callable[[str], None]
) -> tuple[str, ...]:
    """Copy the answers of ``config.judges`` people to ``out`` once all are there; their names.

    A file that does not fit is told once and passed over: one still being written, or about other
    questions.

    Raises:
        DeadlineExceeded: too few came in time.

    """
    expected, count = questions_hash(questions), len(PreferenceSet(questions))
    deadline = time.monotonic() + config.hours * 3600
    told: set[str] = set()
    arriving.mkdir(parents=True, exist_ok=True)
    while True:
        found: dict[str, Path] = {}
        for path in sorted(arriving.glob("*.json")):
            try:
                found.setdefault(read_answers(path, expected, count).judge, path)
            except OmnireelError as error:
                if error.message not in told:
                    say(f"passed over: {error.message}")
                told.add(error.message)
        if (line := f"{len(found)} of {config.judges} judges have answered") not in told:
            say(line)
            told.add(line)
        if len(found) >= config.judges:
            out.mkdir(parents=True, exist_ok=True)
            for path in found.values():
                shutil.copy2(path, out / path.name)
            return tuple(found)
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise DeadlineExceeded(
                f"{len(found)} of {config.judges} judges answered within {config.hours:g} hours; "
                f"put more answer files into {arriving} and run again"
            )
        time.sleep(min(config.poll_s, left_s))
