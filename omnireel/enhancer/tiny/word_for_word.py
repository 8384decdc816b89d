"""The user's own text in words that the generator was trained on, where no draft can be used.

The generator spells words that it does not know letter by letter, and makes nothing of them. So a
text that is not rewritten is at least told word for word: "a lady twirls on the seashore" as "a
girl spinning on the beach".
"""

from __future__ import annotations

import re

from omnireel.enhancer.tiny.everyday import WORD, read_words
from omnireel.enhancer.tiny.facts import Lexicon
from omnireel.enhancer.tiny.unwanted import wanted_of
from omnireel.mvl.prompt import Prompt, TextPart

_BEFORE_A_MARK = re.compile(r" (?=[,.;:!?)'])|(?<=[(']) ")


def word_for_word(lexicon: Lexicon, prompt: Prompt, known: frozenset[str]) -> Prompt:
    """``prompt`` with the words that have a counterpart in captions replaced by it, and without
    what it does not want.

    The prompt itself comes back where nothing is to be told otherwise, and where media are given:
    there a "box" or a "ring" may be something in a picture.
    """
    if prompt.inputs or prompt.elements:
        return prompt
    wanted, _ = wanted_of(prompt)
    text = " ".join(part.text for part in wanted.parts if isinstance(part, TextPart))
    told = lexicon.as_captions_tell(read_words(text, known))
    if not told:
        return prompt
    if [word.lower() for word in told] == [word.lower() for word in WORD.findall(text)]:
        return wanted
    return Prompt(parts=(TextPart(_BEFORE_A_MARK.sub("", " ".join(told))),))
