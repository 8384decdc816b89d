"""What is known of a file after it was measured, as JSON: the same file gives the same bytes."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from omnireel.data.candidate import AudioFacts, FileFacts, Shot
from omnireel.data.checks.base import Outcome, Tier, Verdict
from omnireel.types import MediaKind


@dataclass(frozen=True)
class ShotRecord:
    """One shot's verdicts of tiers 1 and 2."""

    shot: Shot
    verdicts: tuple[Verdict, ...]
    fingerprint: bytes = b""
    strip: bytes = b""
    """JPEG of some of its frames side by side, when it was rejected."""


@dataclass(frozen=True)
class FileRecord:
    """One measured file. A file that gave no frames has one shot of no length."""

    name: str
    sha256: str
    facts: FileFacts
    shots: tuple[ShotRecord, ...]
    companions: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 by file name."""

    def key(self, shot: ShotRecord) -> str:
        """The name of a shot in ledger and shards."""
        return self.name if shot.shot.whole else f"{self.name}#{shot.shot.index}"

    def to_json(self) -> bytes:
        """The record."""
        data = {
            "name": self.name,
            "sha256": self.sha256,
            "facts": asdict(self.facts),
            "companions": dict(sorted(self.companions.items())),
            "shots": [
                {
                    "shot": asdict(s.shot),
                    "verdicts": [verdict_json(v) for v in s.verdicts],
                    "fingerprint": base64.b64encode(s.fingerprint).decode(),
                    "strip": base64.b64encode(s.strip).decode(),
                }
                for s in self.shots
            ],
        }
        return json.dumps(data, separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def from_json(cls, text: bytes) -> FileRecord:
        """The inverse of `to_json`."""
        data = json.loads(text)
        facts = dict(data["facts"])
        audio = facts.pop("audio")
        return cls(
            data["name"],
            data["sha256"],
            FileFacts(
                **{**facts, "kind": MediaKind(facts["kind"])},
                audio=AudioFacts(**audio) if audio else None,
            ),
            tuple(
                ShotRecord(
                    Shot(**s["shot"]),
                    tuple(verdict_of_json(v) for v in s["verdicts"]),
                    base64.b64decode(s["fingerprint"]),
                    base64.b64decode(s["strip"]),
                )
                for s in data["shots"]
            ),
            data["companions"],
        )


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON; open ends are null."""
    return {
        **asdict(verdict),
        "low": verdict.low if math.isfinite(verdict.low) else None,
        "high": verdict.high if math.isfinite(verdict.high) else None,
        "detail": plain(verdict.detail),
    }


def verdict_of_json(data: Mapping[str, Any]) -> Verdict:
    """The inverse of :func:`verdict_json`."""
    return Verdict(
        **{
            **data,
            "tier": Tier(data["tier"]),
            "outcome": Outcome(data["outcome"]),
            "low": -math.inf if data["low"] is None else data["low"],
            "high": math.inf if data["high"] is None else data["high"],
        }
    )


def plain(detail: Any) -> Any:
    """JSON of a check's detail: numpy's numbers become Python's, what is not finite text."""
    if isinstance(detail, Mapping):
        return {str(k): plain(v) for k, v in detail.items()}
    if isinstance(detail, list | tuple):
        return [plain(v) for v in detail]
    if hasattr(detail, "tolist"):
        return plain(detail.tolist())
    if isinstance(detail, float) and not math.isfinite(detail):
        return str(detail)
    return detail if isinstance(detail, bool | int | float | str) or detail is None else str(detail)
