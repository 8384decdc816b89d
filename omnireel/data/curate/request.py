"""What to curate, how, and where to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnireel.data.checks.policy import Policy
from omnireel.data.curate.listing import Item
from omnireel.data.shards import ShardWriterConfig
from omnireel.data.shards.manifest import MANIFEST
from omnireel.errors import InvalidInput

FORMAT = 1
"""Of the state; raise it when records change."""


@dataclass(frozen=True)
class CurateRequest:
    """What to curate, and how. ``address``: a folder, or ``s3://bucket/prefix?endpoint=..``."""

    address: str
    out: Path
    """Folder of the result and of the work."""
    policy: Policy
    shards: ShardWriterConfig = field(default_factory=ShardWriterConfig)
    send_to: str = ""
    """Address of a bucket that the result is sent to; ``out`` is then the work folder only."""

    @property
    def place(self) -> str:
        """The input's address in words that do not depend on where the command runs from."""
        return self.address if "://" in self.address else str(Path(self.address).resolve())

    @property
    def result(self) -> str:
        """The output as a person named it."""
        return self.send_to or str(self.out)

    @property
    def manifest(self) -> str:
        """Where the manifest of the output lies; without it, all is written anew."""
        if not self.send_to:
            return str(self.out / MANIFEST)
        place, mark, options = self.send_to.partition("?")
        return f"{place.rstrip('/')}/{MANIFEST}{mark}{options}"

    def plan(self) -> dict[str, Any]:
        """What work in the same folder must have in common."""
        return {
            "policy": self.policy.name,
            "policy_sha256": self.policy.digest(),
            "input": self.place,
            "seed": self.shards.seed,
            "shard_bytes": self.shards.shard_bytes,
            "format": FORMAT,
        }

    def check_apart(self) -> None:
        """Refuse an output inside of the input, and the reverse.

        Raises:
            InvalidInput: it is.

        """
        if self.send_to and _within(self.send_to, self.address):
            raise InvalidInput(
                f"{self.send_to} and {self.address} lie inside of each other; the input is never "
                "written to, so choose another output",
                field="out",
            )
        if "://" in self.address:
            return
        given, out = Path(self.address).resolve(), self.out.resolve()
        if out.is_relative_to(given) or given.is_relative_to(out):
            raise InvalidInput(
                f"{self.out} and {self.address} lie inside of each other; the input is never "
                "written to, so choose another output folder",
                field="out",
            )


def stamp_of(item: Item) -> str:
    """Changes whenever the results of an item may."""
    facts = [
        [item.entry.size, item.entry.stamp],
        item.caption.text,
        [[c.entry.name, c.entry.size, c.entry.stamp, c.name, c.role] for c in item.companions],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def _within(one: str, other: str) -> bool:
    """Whether one of two bucket addresses holds the other."""
    a, b = (address.partition("?")[0].rstrip("/") + "/" for address in (one, other))
    return a.startswith(b) or b.startswith(a)
