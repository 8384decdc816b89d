"""What a gate said about one version against one champion."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """One rule of a gate: whether it held, and a line with the numbers."""

    passed: bool
    line: str


@dataclass(frozen=True)
class GateVerdict:
    """Every rule's outcome, and for which content it was reached."""

    candidate: str
    """Content or weights hash of the version that was measured."""
    champion: str
    """The same of the champion that it was compared with; "" when there was none."""
    reasons: tuple[Reason, ...]

    @property
    def passed(self) -> bool:
        """Every rule held, and there was at least one."""
        return bool(self.reasons) and all(reason.passed for reason in self.reasons)

    @property
    def lines(self) -> tuple[str, ...]:
        """``passed: ...`` or ``failed: ...``, one for each rule."""
        return tuple(f"{'passed' if r.passed else 'failed'}: {r.line}" for r in self.reasons)
