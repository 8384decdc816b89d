"""Token counts of a sample: all that cost and balance need to know of it."""

from __future__ import annotations

from dataclasses import dataclass

from omnireel.model.sequence import PATCH, OmniSample, grid_tokens
from omnireel.train.latent_record import LatentRecord


@dataclass(frozen=True)
class SampleLength:
    """Tokens of the condition stream (text and segments) and of the target stream."""

    conditions: int
    target: int

    def __post_init__(self) -> None:
        if self.conditions < 1 or self.target < 1:
            raise ValueError(f"a sample has tokens in both streams, not {self}")

    @property
    def tokens(self) -> int:
        """All tokens: what projections and MLPs work on."""
        return self.conditions + self.target

    @property
    def pairs(self) -> int:
        """Query-key pairs of one attention layer.

        Conditions attend to conditions, targets to both: ``Nc^2 + Nt (Nc + Nt)``. That is
        ``N^2 - Nc Nt`` with ``N = Nc + Nt``: what conditions do not see is never computed.
        """
        return self.conditions**2 + self.target * self.tokens


def sample_length(sample: OmniSample) -> SampleLength:
    """Token counts of a sample that is ready to be packed."""
    patch = sample.patch
    segments = sum(grid_tokens(segment.latents_CTHW.shape, patch) for segment in sample.segments)
    return SampleLength(len(sample.text.ids) + segments, grid_tokens(sample.target_shape, patch))


def record_length(record: LatentRecord, text_tokens: int, patch: int = PATCH) -> SampleLength:
    """Token counts of an encoded sample whose prompt has ``text_tokens``."""
    segments = sum(grid_tokens(segment.latents_CTHW.shape, patch) for segment in record.segments)
    return SampleLength(text_tokens + segments, grid_tokens(record.target_CTHW.shape, patch))
