"""A batch that the tiny embedder learns from, as the numbers that its network reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class EditSights:
    """The sources of B edits, and how each result differs from its own."""

    subjects_BKF: Tensor
    """Subjects of the source ``[B, SUBJECTS, SUBJECT]``."""
    scene_BF: Tensor
    """The rest of the source ``[B, sum(SCENE)]``."""
    change_BF: Tensor
    """:func:`omnireel.embed.sight.change` from source to result ``[B, CHANGE]``."""
    focus_BF: Tensor
    """:func:`omnireel.embed.focus.focus` from source to result ``[B, FOCUS]``."""


@dataclass(frozen=True, eq=False)
class References:
    """R portraits for each of B clips, and who is on them and in the clips."""

    subjects_BRF: Tensor
    """The main subject of each portrait ``[B, R, SUBJECT]``."""
    keys_BR: Tensor
    """A positive number for who is on each portrait ``[B, R]``; equal numbers look the same."""
    clip_keys_B2: Tensor
    """The same for who is in each clip ``[B, 2]``; 0: nobody more."""


@dataclass(frozen=True, eq=False)
class EmbedderBatch:
    """B clips with M texts each: results of edits (``edit``), or clips with ``references``.

    Sizes in capitals are those of :mod:`omnireel.embed.sight`, :mod:`omnireel.embed.focus` and
    :mod:`omnireel.embed.named`.
    """

    subjects_BKF: Tensor
    """Subjects of each clip, the largest first ``[B, SUBJECTS, SUBJECT]``."""
    scene_BF: Tensor
    """The rest of each clip ``[B, sum(SCENE)]``."""
    ids_BMN: Tensor
    """Tokens of each text, 0 beyond its end ``[B, M, N]``."""
    named_BMN: Tensor
    """What each text names outright ``[B, M, NAMED]``."""
    labels_BM2: Tensor
    """1 or 0 for (followed, kept), -1 unknown ``[B, M, 2]``."""
    edit: EditSights | None = None
    references: References | None = None

    def __post_init__(self) -> None:
        if (self.edit is None) == (self.references is None):
            raise ValueError("a batch is of edits, or of clips with references")

    def to(self, device: torch.device | str) -> EmbedderBatch:
        """The same on ``device``."""
        return self.of_tensors([x.to(device) for x in self.tensors()])

    def tensors(self) -> list[Tensor]:
        """All tensors, in the order of the fields; :meth:`of_tensors` is the inverse."""
        own = [self.subjects_BKF, self.scene_BF, self.ids_BMN, self.named_BMN, self.labels_BM2]
        more = [part for part in (self.edit, self.references) if part is not None]
        return own + [getattr(part, field.name) for part in more for field in fields(part)]

    @classmethod
    def of_tensors(cls, tensors: Sequence[Tensor]) -> EmbedderBatch:
        """The batch with these :meth:`tensors`, whose number tells its kind."""
        subjects, scene, ids, named, labels, *more = tensors
        edits = len(more) == len(fields(EditSights))
        edit = EditSights(*more) if edits else None
        references = None if edits else References(*more)
        return cls(subjects, scene, ids, named, labels, edit, references)
