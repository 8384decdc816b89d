"""How much a description sounds like the captions that the generator was trained on.

A trigram model of exact texts of the procedural world, mixed with bigrams and words::

    p(w | u v) = 0.6 p3(w | u v) + 0.3 p2(w | v) + 0.1 (count(w) + 1) / (all words + vocabulary)

The score of a text is its mean log-probability per word. The median of captions that the model has
not seen is full marks, ``SPAN`` nats a word below it is none. Being likely is easy for a text that
says little or says it twice; other rewards see to that.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from statistics import median

import numpy as np

from omnireel.recipes.enhancer_data import exact_text

SPAN = 2.0
"""Nats a word between a typical caption and one that gets nothing."""
CAPTIONS = 1_200
"""Captions behind the model; the last fifth of them says what is typical."""
_WORD = re.compile(r"@\w+|<[mw]\d>|[a-z0-9]+|[.,;]")
_WEIGHTS = (0.1, 0.3, 0.6)


class CaptionModel:
    """Word statistics of captions."""

    def __init__(self, captions: Iterable[str]) -> None:
        """At least 5 captions."""
        texts = list(captions)
        held_back = max(1, len(texts) // 5)
        self._counts = tuple(Counter[tuple[str, ...]]() for _ in range(3))
        self._contexts = tuple(Counter[tuple[str, ...]]() for _ in range(3))
        for text in texts[:-held_back]:
            for context, word in _steps(text):
                for n in range(3):
                    seen = context[2 - n :]
                    self._counts[n][(*seen, word)] += 1
                    self._contexts[n][seen] += 1
        self.typical = median(self.score(text) for text in texts[-held_back:])

    def score(self, text: str) -> float:
        """Mean log-probability per word in nats; minus infinity for an empty text."""
        odds = [math.log(self._probability(*step)) for step in _steps(text)]
        return float(np.mean(odds)) if len(odds) > 1 else -math.inf

    def closeness(self, text: str) -> float:
        """The score as marks in 0..1."""
        return min(1.0, max(0.0, 1.0 - (self.typical - self.score(text)) / SPAN))

    def _probability(self, context: tuple[str, str], word: str) -> float:
        total = self._contexts[0][()]
        smoothed = (self._counts[0][(word,)] + 1) / (total + len(self._counts[0]) + 1)
        probability = _WEIGHTS[0] * smoothed
        for n in (1, 2):
            seen = context[2 - n :]
            if count := self._contexts[n][seen]:
                probability += _WEIGHTS[n] * self._counts[n][(*seen, word)] / count
        return probability


def _steps(text: str) -> list[tuple[tuple[str, str], str]]:
    """Every word, and the end, with the two words before it; names are all one word."""
    words = [re.sub(r"^[@<]m?\w+>?$", "@", w) for w in _WORD.findall(text.lower())]
    padded = ["", "", *words, "<end>"]
    return [((padded[i - 2], padded[i - 1]), padded[i]) for i in range(2, len(padded))]


@cache
def caption_model(capabilities: tuple[str, ...]) -> CaptionModel:
    """The model of exact texts of these capabilities in turn, from the training split."""
    n = len(capabilities)
    return CaptionModel(exact_text(capabilities[i % n], i) for i in range(CAPTIONS))
