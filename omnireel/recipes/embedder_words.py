"""True and untrue words for clips and edits: what the tiny embedder learns to tell apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from string import Formatter

import numpy as np

from omnireel.data.crossmodal.altered import altered, fact_phrase, tellable
from omnireel.data.synthesis.wordings import ADD, RECOLOR, REMOVE
from omnireel.world.captions import caption
from omnireel.world.distribution import pick
from omnireel.world.scene import COLORS, PROPS, Level, Scene
from omnireel.world.tasks.groups import editing_look, editing_subjects
from omnireel.world.tasks.plan import Plan

_WORDINGS = (
    editing_subjects.ADD, editing_subjects.REMOVE, editing_subjects.REPLACE,
    editing_look.STYLISE, editing_look.RECOLOR, editing_look.RECLOTHE, editing_look.RETEXTURE,
    editing_look.WEATHER, editing_look.PLACE,
)  # fmt: skip
"""Patterns that say the same."""
_KEEPS = sorted({*editing_subjects.KEEP, *editing_look.KEEP} - {""}, key=len, reverse=True)
_WORD = r"\w+"
_FORMS = {
    "rel": rf"(?:on|in) the {_WORD}", "motion": rf"{_WORD}ing\b[^,.]*?",
    "color": _WORD, "accent": _WORD, "texture": _WORD,
}  # fmt: skip
_OF_PROPS = re.compile(rf"\b({'|'.join(COLORS)}) ({'|'.join(PROPS)})\b")


def plainly(plan: Plan, rng: np.random.Generator) -> str:
    """The instruction of ``plan`` as derived edits have it, where it is of their kind."""
    assert plan.source_scene is not None
    before, after = plan.source_scene.bodies, plan.scene.bodies
    if len(after) > len(before):
        return ADD.format(
            caption=caption(plan.scene, "full" if rng.random() < 0.5 else "short", rng)
        )
    if not after:
        return REMOVE
    old, new = before[0], after[0]
    if (
        len(after) == len(before) == 1
        and old.kind == new.kind
        and old.material.color != new.material.color
    ):
        return RECOLOR.format(old=old.material.color, new=new.material.color)
    return plan.text


def reworded(text: str, rng: np.random.Generator) -> str:
    """An instruction in other words of the same meaning; as it is when none are known."""
    keep = next((k for k in _KEEPS if text.endswith(f"{k}.")), "")
    short = text.removesuffix(f"{keep}.") + "."
    for patterns in _WORDINGS:
        for pattern in patterns:
            if found := _regex(pattern).fullmatch(short):
                parts = {**found.groupdict(), "keep": pick(rng, editing_subjects.KEEP)}
                fits = [p for p in patterns if _fields(p) <= parts.keys()]
                return pick(rng, fits).format(**parts)
    return text


def without_props(text: str) -> str:
    """``text`` less the colours of what somebody wears, which the eyes of the embedder miss."""
    return _OF_PROPS.sub(r"\2", text)


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    parts = []
    for literal, name, _, _ in Formatter().parse(pattern):
        parts.append(re.escape(literal))
        if name and name != "keep":
            parts.append(f"(?P<{name}>{_FORMS.get(name, '[^,.]+?')})")
    return re.compile("".join(parts))


def _fields(pattern: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(pattern) if name}


def clip_texts(
    scene: Scene,
    other: Scene,
    rng: np.random.Generator,
    levels: Sequence[Level | None],
    pairs: int,
) -> list[str]:
    """True and untrue texts in turn; the first is a caption, the last untrue one tells of
    ``other``. The level None is a phrase for one fact."""
    texts: list[str] = []
    for n in range(pairs):
        level = levels[int(rng.integers(len(levels)))] if n else levels[-1]
        body = int(rng.integers(len(scene.bodies)))
        facts = tellable(scene, level or "full")
        fact = facts[int(rng.integers(len(facts)))]
        wrong = altered(scene, fact, rng, body)
        if level is None:
            texts += [fact_phrase(s, fact, rng, body) for s in (scene, wrong)]
        else:
            texts += [caption(s, level, rng) for s in (scene, wrong)]
    if pairs > 2:
        texts[-1] = caption(other, "terse", rng)
    return texts
