"""Companions of a clip, decoded once: what they show, or why they cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from omnireel.data.candidate import Companion, FileFacts
from omnireel.data.checks.policy import ShotConfig
from omnireel.data.curate.reading import ReadShot, read_file

_WHOLE = ShotConfig(split=False)


def decoded(companion: Companion, beat: Callable[[], None] = lambda: None) -> Companion:
    """The companion with its frames, or with the reason why there are none.

    Frames are those of one pass over the whole file, as for the clip itself: bounded in number and
    shrunk. A file of another kind than its name promises is not usable either, for it would be
    packed under that kind.
    """
    shots: list[ReadShot] = []
    facts = read_file(companion.path, _WHOLE, shots.append, beat=beat)
    error = facts.error or _mismatch(companion, facts)
    if error:
        return replace(companion, error=error)
    return replace(companion, shown=shots[0].frames.working)


def _mismatch(companion: Companion, facts: FileFacts) -> str:
    if facts.kind is not companion.kind:
        return f"it holds a {facts.kind.value}, but its name says {companion.kind.value}"
    if facts.corrupt:
        return f"{facts.corrupt} of its packets and frames are damaged"
    return ""
