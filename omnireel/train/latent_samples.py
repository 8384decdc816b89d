"""Encoded samples one by one, with lengths that are known without reading their latents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from omnireel.model.sequence import PATCH, grid_tokens
from omnireel.mvl.prompt import Prompt
from omnireel.train.balance.lengths import SampleLength
from omnireel.train.latent_cache import LatentCache
from omnireel.train.latent_record import LatentRecord, prompt_from_json

TextTokens = Callable[[Prompt], int]
"""How many tokens a prompt has."""


class LatentSamples:
    """A :class:`~omnireel.train.balance.SampleSource`: all formats of a cache, mixed.

    A sample's length is that under its full prompt; dropped conditions make it shorter.
    """

    def __init__(self, cache: LatentCache, text_tokens: TextTokens, patch: int = PATCH) -> None:
        self._cache = cache
        self._places = [place for bucket in cache.buckets for place in bucket]
        self._lengths = [_length(cache.row(*place), text_tokens, patch) for place in self._places]

    def lengths(self) -> Sequence[SampleLength]:
        """Token counts of every sample, from the index."""
        return self._lengths

    def sample(self, index: int) -> LatentRecord:
        """Sample number ``index``."""
        return self._cache.record(*self._places[index])


class IndexedRecords(Protocol):
    """Encoded samples by number (:class:`~omnireel.train.shard_latents.ShardLatents`)."""

    def row(self, index: int) -> Mapping[str, Any]:
        """What the index says of a sample."""

    def record(self, index: int) -> LatentRecord:
        """The sample itself."""


class ChosenSamples:
    """A :class:`~omnireel.train.balance.SampleSource`: those of the records with these numbers."""

    def __init__(
        self,
        records: IndexedRecords,
        indices: Sequence[int],
        text_tokens: TextTokens,
        patch: int = PATCH,
    ) -> None:
        self._records, self._indices = records, tuple(indices)
        self._lengths = [_length(records.row(i), text_tokens, patch) for i in self._indices]

    def lengths(self) -> Sequence[SampleLength]:
        """Token counts of every sample, from the index."""
        return self._lengths

    def sample(self, index: int) -> LatentRecord:
        """Sample number ``index`` of those that were chosen."""
        return self._records.record(self._indices[index])


def _length(row: Mapping[str, Any], text_tokens: TextTokens, patch: int) -> SampleLength:
    segments = sum(grid_tokens(segment["shape"], patch) for segment in row["segments"])
    text = text_tokens(prompt_from_json(row["prompt"]))
    return SampleLength(text + segments, grid_tokens(row["target"]["shape"], patch))
