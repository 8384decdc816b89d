"""What a new clip shall not show ("no clouds", "a robot without a hat"): it is not named.

A generator that learned from captions shows what it is told of, with a "no" before it or not. So
where nothing is given that could show it anyway, whatever is not wanted is left out of the prompt,
and no draft may name it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from omnireel.enhancer.tiny.everyday import forms
from omnireel.enhancer.tiny.everyday_words import IRREGULAR, VERBS
from omnireel.enhancer.tiny.facts import Fact, Lexicon
from omnireel.mvl.prompt import Prompt, TextPart

_BEFORE = (
    r"(?:\b(?:and|but|or|with|has|having|please|i|there(?: is| are|'s)|"
    r"(?:that|who|which) (?:is|are|has|have))\s+)*"
)
_NO = (
    r"(?:no|not|never|nor|without|avoid(?:ing)?|excluding|except|free of|instead of|rather than|"
    r"(?:do not|don\W{0,3}t) (?:want|need|show|draw|add|include|have|make it))"
)
_GOES_ON = (
    r"(?:and|but|or|nor|in|on|at|to|by|near|over|under|into|while|as|with|without|no|not|then|who|"
    r"that|which|is|are|was|has|have|it|he|she|they|please|only|just)"
)
_DONE = frozenset(
    form for verbs in VERBS.values() for verb in verbs.split() for form in forms(verb)[0][1:]
) | frozenset(IRREGULAR)
_THIRD_PERSON = re.compile(r"[a-z](?<![sui])s$")
_WORD = rf"(?!{_GOES_ON}\b)\w+(?:[-']\w+)?"
_UNWANTED = re.compile(
    rf"[,;]?\s*{_BEFORE}\b{_NO}\b(?! (?:mov|motion|touch|chang|cam(?:era)?\b|stars\b))"
    rf"(?P<named>(?:\s+{_WORD}){{1,4}}(?:,?\s+(?:or|nor)(?:\s+{_WORD}){{1,3}})*)",
    re.IGNORECASE,
)
""""Not moving" is a motion, "a night without stars" a colour of riddles, and of the camera people
speak in ways of their own."""
_EDGES = re.compile(r"^[\s,;:.]*(?:(?:and|but|please)\b[\s,;:.]*)*|[\s,;:]*(?:\b(?:and|but))?\s*$")


def wanted_of(prompt: Prompt) -> tuple[Prompt, str]:
    """``prompt`` without what a new clip shall not show, and the names of that.

    A prompt with media stays as it is: whoever they show would be there, named or not.
    """
    if prompt.inputs or prompt.elements:
        return prompt, ""
    text = " ".join(part.text for part in prompt.parts if isinstance(part, TextPart))
    wanted, unwanted = tell_apart(text)
    return (Prompt(parts=(TextPart(wanted),)), unwanted) if unwanted else (prompt, "")


def tell_apart(text: str) -> tuple[str, str]:
    """What of ``text`` is wanted, and the names of what is not; ``text`` itself without such."""
    unwanted: list[str] = []

    def leave_out(found: re.Match[str]) -> str:
        words = found["named"].split()
        end = next((i for i in range(1, len(words)) if _does(words[i], words[:i])), len(words))
        unwanted.append(" ".join(words[:end]))
        return " ".join(("", *words[end:]))

    wanted = _UNWANTED.sub(leave_out, text)
    return (_EDGES.sub("", wanted), ", ".join(unwanted)) if unwanted else (text, "")


def _does(word: str, before: Sequence[str]) -> bool:
    """Whether ``word`` tells what somebody does: "a ball without a shadow jumps"."""
    single = any(article in ("a", "an") for article in before)
    return word.lower() in _DONE or (single and _THIRD_PERSON.search(word) is not None)


def without(said: str) -> str:
    """The names of what ``said`` wants none of, where media are given; "the one that is not red" is
    one of them."""
    return tell_apart(re.sub(r"\bnot\b", "", said))[1]


def shown_unwanted(lexicon: Lexicon, said: str, unwanted: str, written: str) -> list[Fact]:
    """Facts of ``unwanted`` that are ``written`` and were not ``said`` as well ("a meadow with no
    trees" is one)."""
    wanted, shown = (
        {fact for facts in lexicon.stated(text) for fact in facts} for text in (said, written)
    )
    against = (facts[0] for facts in lexicon.stated(unwanted) if not wanted.intersection(facts))
    return [fact for fact in against if fact in shown]
