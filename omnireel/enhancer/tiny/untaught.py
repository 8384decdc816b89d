"""Requests that the tiny enhancer leaves in the words of the user, told by how people word them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from omnireel.enhancer.tiny.facts import Lexicon
from omnireel.enhancer.tiny.unwanted import without
from omnireel.mvl.prompt import Prompt
from omnireel.types import MediaKind, Role

PUZZLE = re.compile(
    r"\b((the|its|of that|next) color (of|is)|(that|next) color|"
    r"plus(?! (some\w*\b|an?\b|the\b|<m))|"
    r"less (one|two)|only one of|"
    r"from the first on|of them|turn (its|this|that|the)? ?(motion )?around|happens next)\b"
)
PUZZLES, ADDITIONS, MARKS = "C23", "C4", "C22"
"""Capabilities: puzzles, additions to a video, marks drawn on a picture."""
IN_PUZZLES = frozenset({"color", "kind", "motion", "place"})
"""What a puzzle speaks of without wanting it to be seen."""
_OTHER_EDIT = (
    r"(make|turn|change|remove|erase|replace|swap|recolor|color|paint|dress|give|set|let|cut)\b"
)
_TO_ONE = r".*\b(to|on) (the|that|this|it|him|her|them)\b"
_ADDITION = re.compile(
    rf"^add (?!{_TO_ONE})|^also (?!{_OTHER_EDIT})|^put\b.*\bin there\b|^(?!{_OTHER_EDIT}).*\btoo$"
)
"""How people ask for one more subject in a video."""
_SEVERAL = re.compile(r"[,;]| and |<m[1-9]>")
_MARKS = re.compile(r"\barrow\b|\bin the box\b|\bbox (for|is|marked|drawn)\b")
"""What is drawn on a picture to tell where something is or goes."""


def untaught(lexicon: Lexicon, prompt: Prompt, said: str, tasks: Sequence[str]) -> str:
    """Why a model that rewrites ``tasks`` (names of capabilities) should not touch a prompt whose
    text with slots is ``said``: it would write of the one task that looks most like it."""
    videos = {i.role for i in prompt.inputs if i.kind is MediaKind.VIDEO}
    shots = has_shot(prompt)
    if "C13" not in tasks and shots:
        return "the tiny enhancer was not taught shots before and after a video"
    if PUZZLES not in tasks and not shots and PUZZLE.search(said):
        return "the tiny enhancer cannot solve this puzzle"
    if ADDITIONS not in tasks and Role.SOURCE in videos and _asks_for_more(lexicon, said):
        return "the tiny enhancer does not see where a video has room for more"
    if MARKS not in tasks and prompt.inputs and not videos and _MARKS.search(said):
        return "the tiny enhancer does not see what marks on a picture stand for"
    if not videos and lexicon.stated(without(said)):
        return "the tiny enhancer cannot tell what shall not be there beside what is given"
    return ""


def _asks_for_more(lexicon: Lexicon, said: str) -> bool:
    named = any(fact.group == "kind" for facts in lexicon.stated(said) for fact in facts)
    return bool(named and _ADDITION.search(said) and not _SEVERAL.search(said))


def has_shot(prompt: Prompt) -> bool:
    """Whether a prompt goes on from a video, or asks for another view of it."""
    return any(i.kind is MediaKind.VIDEO and i.role is Role.REFERENCE for i in prompt.inputs)
