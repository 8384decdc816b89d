"""Careless prompts that an enhancer cannot put into exact words."""

from __future__ import annotations

from pathlib import Path

from omnireel.enhancer.schema import StructureError, parse_structured
from omnireel.enhancer.tiny.backend import TinyEnhancer
from omnireel.evaluate.bench.suite import chosen, sample_of
from omnireel.evaluate.failures.report import Failures

_UNREADABLE = "no answer that can be read"
_NONE = "none was written"
_USED = "; your text is used "


def worst_worded(folder: Path, count: int) -> Failures:
    """``count`` of the quick cases of OmniBench that come back unchanged, each for another reason
    where there are so many reasons."""
    enhancer = TinyEnhancer.load(folder)
    cases = chosen((), quick=True)
    failed: list[tuple[str, str, str]] = []
    for case in cases:
        sample = sample_of(case)
        reply = enhancer.enhance(sample.vague_prompt, sample.media)
        if reply.fallback_reason:
            reason = reply.fallback_reason.partition(_USED)[0]
            failed.append((sample.vague_prompt.text, _draft(reply.raw_output), reason))
    order = sorted(range(len(failed)), key=lambda i: _repeats(failed, i))
    head = ("Asked", "First draft", "Why")
    return Failures(
        f"{len(failed)} of {len(cases)} careless prompts of OmniBench came back unchanged: "
        "requests of a kind that it leaves alone, and those of which every draft had a fault that "
        "can be seen in its text. Some of them:",
        table=[head, *(failed[i] for i in order[:count])],
    )


def _draft(raw: str) -> str:
    if not raw:
        return _NONE
    try:
        return parse_structured(raw).description
    except StructureError:
        return _UNREADABLE


def _kind(reason: str) -> str:
    """The reason without the words that it is about."""
    return " ".join(reason.split()[:7])


def _repeats(failed: list[tuple[str, str, str]], i: int) -> int:
    """How many before it failed for the same reason."""
    return sum(_kind(reason) == _kind(failed[i][2]) for *_, reason in failed[:i])
