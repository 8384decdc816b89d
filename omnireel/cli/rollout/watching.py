"""Whether a gateway answers as it should: a few real requests, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from omnireel.client import VideoOptions
from omnireel.errors import InvalidInput, OmnireelError

if TYPE_CHECKING:
    from omnireel.client import OmnireelClient

PROMPTS = (
    "a red ball jumps on a meadow",
    "a blue cube slides to the left on the beach",
    "a green cone spins in a room",
)


@dataclass(frozen=True)
class WatchConfig:
    """How many requests, and how many of them may fail."""

    requests: int = 10
    max_failures: int = 0

    def __post_init__(self) -> None:
        if self.requests < 1 or not 0 <= self.max_failures < self.requests:
            raise InvalidInput(
                "watching needs at least one request, and fewer tolerated failures than requests",
                field="requests",
            )


@dataclass(frozen=True)
class Watched:
    """What came back. ``failures`` are in words."""

    made: int
    failures: tuple[str, ...]
    passed: bool


def watch(client: OmnireelClient, config: WatchConfig, say: Callable[[str], None]) -> Watched:
    """Ask for videos; stops as soon as too many have failed."""
    failures: list[str] = []
    made = 0
    with TemporaryDirectory() as folder:
        for number in range(config.requests):
            prompt = PROMPTS[number % len(PROMPTS)]
            try:
                client.generate(
                    prompt, options=VideoOptions(seed=number), out=Path(folder) / f"{number}.mp4"
                )
            except OmnireelError as error:
                failures.append(f"{prompt!r}: {error.message}")
                say(f"failed, {failures[-1]}")
            else:
                made += 1
                say(f"{number + 1} of {config.requests}: made")
            if len(failures) > config.max_failures:
                break
    return Watched(made, tuple(failures), len(failures) <= config.max_failures)
