"""How good an enhancer is on held-out prompts of the procedural world."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import numpy as np

from omnireel.enhancer.schema import (
    StructuredPrompt,
    StructureError,
    mentions,
    parse_structured,
    to_prompt,
)
from omnireel.enhancer.tiny.backend import TinyEnhancer
from omnireel.enhancer.tiny.checks import lost_facts
from omnireel.enhancer.tiny.dialogue import Dialogue
from omnireel.enhancer.tiny.facts import Fact, Lexicon
from omnireel.enhancer.tiny.untaught import IN_PUZZLES
from omnireel.recipes.enhancer_data import Lesson


def score(enhancer: TinyEnhancer, lessons: Sequence[Lesson]) -> dict[str, float]:
    """Shares in 0..1 over ``lessons``.

    Of the first draft, unchecked: ``parsed`` valid JSON; ``facts_kept``: of all facts stated, how
    many the description states; ``prompts_intact``: prompts that keep every fact and mention;
    ``seen_color``, ``seen_kind``: leftmost body of each given picture named rightly;
    ``puzzles_solved``: puzzles of which the description states who, what, where of the solution;
    ``exact``: the description equals the reference word for word.

    Of the back-end: ``used``: prompts that are rewritten, every fact and mention kept (the others
    are sent back unchanged); ``latency_s`` and ``latency_worst_s``: seconds a prompt, median and
    longest.
    """
    rows: list[dict[str, float]] = []
    for lesson in lessons:
        started = time.perf_counter()
        result = enhancer.enhance(lesson.prompt, lesson.media)
        seconds = time.perf_counter() - started
        dialogue = enhancer.read(lesson.prompt, lesson.media)
        (draft,) = enhancer.write(lesson.prompt, dialogue, enhancer.think(dialogue))
        first = _restored(dialogue, draft.text)
        row = {"latency_s": seconds, "used": float(not result.fallback_reason)}
        rows.append(row | _rate(enhancer, lesson, dialogue, first))
    names = sorted({name for row in rows for name in row})
    found = {name: [row[name] for row in rows if name in row] for name in names}
    stated, kept = sum(found.pop("stated")), sum(found.pop("kept"))
    scores = {name: float(np.mean(values)) for name, values in found.items()}
    scores["facts_kept"] = kept / max(stated, 1)
    scores["latency_s"] = float(np.median(found["latency_s"]))
    scores["latency_worst_s"] = float(np.max(found["latency_s"]))
    return scores


def _rate(enhancer: TinyEnhancer, lesson: Lesson, dialogue: Dialogue, raw: str) -> dict[str, float]:
    stated = float(len(enhancer.lexicon.stated(dialogue.text)))
    row = {"parsed": 0.0, "stated": stated, "kept": 0.0, "prompts_intact": 0.0, "exact": 0.0}
    if lesson.puzzle:
        row["puzzles_solved"] = 0.0
    answer = _parsed(raw)
    if answer is None:
        return row
    slotted = answer.description
    for i, name in enumerate(dialogue.names):
        slotted = slotted.replace(f"@{name}", f"<m{i}>")
    lost = lost_facts(enhancer.lexicon, dialogue.text, lesson.prompt, slotted)
    copied = all(word.lower() in slotted.lower() for word in dialogue.copies)
    row |= {
        "parsed": 1.0,
        "kept": stated - len(lost),
        "prompts_intact": float(not lost and copied and _mentions_intact(answer, lesson)),
        "exact": float(answer.description.lower() == lesson.answer.description.lower()),
    }
    if lesson.puzzle:
        right = _facts(enhancer.lexicon, lesson.answer.description)
        row["puzzles_solved"] = float(right <= _facts(enhancer.lexicon, answer.description))
    return row | _seen(lesson, raw)


def _facts(lexicon: Lexicon, text: str) -> set[Fact]:
    """What a puzzle is about, as far as ``text`` states it in one reading."""
    stated = (facts[0] for facts in lexicon.stated(text) if len(facts) == 1)
    return {fact for fact in stated if fact.group in IN_PUZZLES}


def _restored(dialogue: Dialogue, written: str) -> str:
    try:
        return dialogue.restore(written)
    except StructureError:  # a slot that stands for nothing: leave it, the checks will see it
        return written


def _parsed(raw: str) -> StructuredPrompt | None:
    try:
        return parse_structured(raw)
    except StructureError:
        return None


def _mentions_intact(answer: StructuredPrompt, lesson: Lesson) -> bool:
    try:
        return mentions(lesson.prompt) <= mentions(to_prompt(answer, lesson.prompt))
    except StructureError:
        return False


def _seen(lesson: Lesson, raw: str) -> dict[str, float]:
    """Compare "sees @Name color kind" of the thought with what the lesson shows."""
    pattern = re.compile(r"@(\w+) (\w+) (\w+)")
    right = {m[1]: (m[2], m[3]) for m in pattern.finditer(lesson.sees)}
    said = {m[1]: (m[2], m[3]) for m in pattern.finditer(raw.split(";")[0])}
    right = {k: v for k, v in right.items() if v[0] != "empty"}
    if not right:
        return {}
    colors = [said.get(k, ("", ""))[0] == v[0] for k, v in right.items()]
    kinds = [said.get(k, ("", ""))[1] == v[1] for k, v in right.items()]
    return {"seen_color": float(np.mean(colors)), "seen_kind": float(np.mean(kinds))}
