"""Writing with a K/V cache: many continuations at once, each token chosen by a rule.

Shapes: ``B`` continuations, ``N`` tokens of the longest prefix, ``V`` words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from omnireel.enhancer.base import never, stopped
from omnireel.enhancer.tiny.modeling import TinyEnhancer

TEMPERATURE = 0.7
UNLIKELY = 0.1
"""Drafts leave out tokens of less than this share of the best one's probability."""


@dataclass(frozen=True)
class Written:
    """A continuation without its end, the probability of each token, and whether it came to an
    end by itself."""

    ids: tuple[int, ...]
    sure: tuple[float, ...]
    ended: bool


class Rule(Protocol):
    """Chooses the next token of each continuation."""

    def __call__(self, probabilities_BV: Tensor) -> Tensor:
        """Tokens ``[B]``."""


def most_likely(probabilities_BV: Tensor) -> Tensor:
    """The best guess."""
    return probabilities_BV.argmax(-1)


class ByChance:
    """What the model says, at temperature 1: every token with its own probability."""

    def __init__(self, rng: torch.Generator) -> None:
        self._rng = rng

    def __call__(self, probabilities_BV: Tensor) -> Tensor:
        """One drawing for each row."""
        return torch.multinomial(probabilities_BV, 1, generator=self._rng)[:, 0]


class Drafts:
    """Row i is draft ``numbers[i]``: 0 is the best guess; each other one is drawn from the likely
    tokens at a low temperature, with its number as the seed, whatever the other rows are."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._rngs = [torch.Generator().manual_seed(n) if n else None for n in numbers]

    def __call__(self, probabilities_BV: Tensor) -> Tensor:
        """Row by row."""
        rows = zip(probabilities_BV, self._rngs, strict=True)
        return torch.stack([_draw(p_V, rng) for p_V, rng in rows])


def _draw(probabilities_V: Tensor, rng: torch.Generator | None) -> Tensor:
    if rng is None:
        return probabilities_V.argmax()
    shares_V = probabilities_V / probabilities_V.max()
    likely_V = shares_V.where(shares_V >= UNLIKELY, 0.0)
    return torch.multinomial(likely_V ** (1 / TEMPERATURE), 1, generator=rng)[0]


@torch.inference_mode()
def write(
    model: TinyEnhancer,
    prefixes: Sequence[Sequence[int]],
    pixels_ICHW: Tensor | None,
    *,
    max_new_tokens: int,
    end_id: int,
    rule: Rule = most_likely,
    cancelled: Callable[[], bool] = never,
) -> list[Written]:
    """Continue every prefix until ``end_id``; ``pixels_ICHW`` are the pictures of all of them.

    Raises:
        Cancelled: ``cancelled()`` was true before one of the tokens.
    """
    ids_BN, mask_BN = _padded(prefixes)
    even = bool(mask_BN.all())  # one prefix, or drafts of one: no need for a mask
    positions_BN = (mask_BN.cumsum(-1) - 1).clamp_min(0)
    image = torch.tensor([model.config.image_token_id])
    step = model.embed(ids_BN, pixels_ICHW)
    cache, open_B = None, torch.ones(len(prefixes), dtype=torch.bool)
    tokens, sure = list[Tensor](), list[Tensor]()
    while bool(open_B.any()) and len(tokens) < max_new_tokens:
        if cancelled():
            raise stopped()
        out = model.language_model(
            inputs_embeds=step,
            attention_mask=None if even else mask_BN,
            position_ids=positions_BN,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = out.past_key_values
        probabilities_BV = out.logits[:, -1].float().softmax(-1)
        # A picture is no word; written down, it would ask for pixels that do not exist.
        token_B = rule(probabilities_BV.index_fill(-1, image, 0.0))
        tokens.append(token_B)
        sure.append(probabilities_BV.gather(-1, token_B[:, None])[:, 0])
        open_B = open_B & (token_B != end_id)
        mask_BN = torch.cat([mask_BN, torch.ones_like(mask_BN[:, :1])], 1)
        positions_BN = positions_BN[:, -1:] + 1
        step = model.language_model.get_input_embeddings()(token_B[:, None])
    if not tokens:
        return [Written((), (), False) for _ in prefixes]
    rows = zip(torch.stack(tokens, 1).tolist(), torch.stack(sure, 1).tolist(), strict=True)
    return [_cut(row, odds, end_id) for row, odds in rows]


def _padded(prefixes: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Prefixes padded on the left, so that all end in the same column, and where they are."""
    longest = max(len(prefix) for prefix in prefixes)
    ids_BN = torch.zeros(len(prefixes), longest, dtype=torch.long)
    mask_BN = torch.zeros_like(ids_BN)
    for row, prefix in enumerate(prefixes):
        ids_BN[row, longest - len(prefix) :] = torch.tensor(prefix)
        mask_BN[row, longest - len(prefix) :] = 1
    return ids_BN, mask_BN


def _cut(row: list[int], odds: list[float], end_id: int) -> Written:
    length = row.index(end_id) if end_id in row else len(row)
    return Written(tuple(row[:length]), tuple(odds[:length]), length < len(row))
