"""The vocabulary of a generator that learns from training shards: what their captions say.

The hash of the words is pinned with the run. A run of an earlier release has none, and goes on with
the words of the procedural world that it was started with.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from omnireel.errors import InvalidInput
from omnireel.model.text import words_of
from omnireel.mvl.prompt import Prompt, TextPart
from omnireel.recipes.base import Workplace
from omnireel.world.lexicon import vocabulary

_PINNED = "vocabulary"


def pin_words(place: Workplace, found: Mapping[str, str], most: int) -> dict[str, str]:
    """``found`` with the hash of the run's words; as it is, if the run was begun without one.

    Raises:
        InvalidInput: the words are not those that the run was begun with.

    """
    if "shards" in place.pinned and _PINNED not in place.pinned:
        return dict(found)
    begun_with = place.pinned.get(_PINNED)
    words = _hash(_shard_vocabulary(found, most))
    if begun_with not in (None, words):
        raise _other_words()
    return {**found, _PINNED: words}


def run_words(pinned: Mapping[str, str], most: int) -> tuple[str, ...]:
    """The vocabulary: the words of the world, so that a generator which knows them can be started
    from, then those of the shards' captions, at most ``most``, the most frequent first.

    Raises:
        InvalidInput: they are not those that the run was begun with.

    """
    if _PINNED not in pinned:
        return vocabulary()
    words = _shard_vocabulary(pinned, most)
    if _hash(words) != pinned[_PINNED]:
        raise _other_words()
    return words


def _other_words() -> InvalidInput:
    return InvalidInput(
        "the run was begun with another vocabulary; set shard_words as before, or start a new run",
        field="shard_words",
    )


def _shard_vocabulary(pinned: Mapping[str, str], most: int) -> tuple[str, ...]:
    from omnireel.train.shard_latents import ShardLatents

    known = vocabulary()
    counted: Counter[str] = Counter()
    for prompts in ShardLatents(Path(pinned["latents"])).prompts():
        counted.update(word for prompt in prompts for word in _words(prompt))
    # A letter or digit has a token already: words that nobody knows are spelled with it.
    for word in [*known, *(w for w in counted if len(w) == 1 and w.isascii() and w.isalnum())]:
        counted.pop(word, None)
    by_frequency = sorted(counted, key=lambda word: (-counted[word], word))
    return (*known, *by_frequency[:most])


def _words(prompt: Prompt) -> Iterator[str]:
    for part in prompt.parts:
        if isinstance(part, TextPart):
            yield from words_of(part.text)


def _hash(words: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()
