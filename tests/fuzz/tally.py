"""What the fuzzers saw."""

from __future__ import annotations

import resource
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

HANG_S = 30.0
"""No input here may take this long, however busy the machine is."""


@dataclass
class Tally:
    """Counts of one fuzzer. ``contained`` are decoders that died in their own process."""

    name: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    contained: int = 0
    crashes: int = 0
    hangs: int = 0
    stories: list[str] = field(default_factory=list)
    by_outcome: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def one(self, described: str, refusals: tuple[type[BaseException], ...]) -> Iterator[None]:
        """Try one input: ``refusals`` are the errors that a bad input is meant to get."""
        self.inputs += 1
        begun = time.monotonic()
        try:
            yield
            self.accepted += 1
        except refusals as error:
            self.refused += 1
            self.by_outcome[type(error).__name__] += 1
        except Exception:  # noqa: BLE001 - that is what is looked for
            self.crash(described, traceback.format_exc())
        if time.monotonic() - begun > HANG_S:
            self.hangs += 1
            self.stories.append(f"{self.name}: a hang: {described}")

    def crash(self, described: str, why: str) -> None:
        """Count a crash and remember how to make it again."""
        self.crashes += 1
        if len(self.stories) < 20:
            self.stories.append(f"{self.name}: {described}\n{why[-2000:]}")

    def line(self) -> str:
        """For people."""
        return (
            f"{self.name}: inputs={self.inputs} accepted={self.accepted} refused={self.refused} "
            f"contained={self.contained} crashes={self.crashes} hangs={self.hangs}"
        )


def peak_rss_mib() -> int:
    """The most memory that this process or any of its ended children had."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) >> 10
