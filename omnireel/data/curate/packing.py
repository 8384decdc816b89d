"""Samples that passed -> training samples: media, words, companions, and the way they came."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnireel.data.candidate import Shot
from omnireel.data.curate.inputs import Inputs
from omnireel.data.curate.listing import Item
from omnireel.data.sample import Media, SampleInput, TrainingSample
from omnireel.errors import InvalidInput
from omnireel.store.chunks import sha256_of
from omnireel.types import MediaKind, Role


@dataclass(frozen=True)
class Kept:
    """A sample that passed every check."""

    key: str
    item: Item
    kind: MediaKind
    shot: Shot
    sha256: str
    """Of the file it comes from."""
    companions: Mapping[str, str]
    """SHA-256 by file name."""
    cut: Path | None = None
    """Where its own clip lies; None: the whole file is the sample."""
    cut_sha256: str = ""

    @property
    def media_sha256(self) -> str:
        """Of the bytes that go into the shard."""
        return self.cut_sha256 or self.sha256


class CuratedSource:
    """A :class:`omnireel.data.shards.SampleSource` over samples that passed."""

    def __init__(
        self,
        inputs: Inputs,
        kept: Mapping[str, Kept],
        scores: Callable[[Kept], Mapping[str, Any]],
        policy: str,
    ) -> None:
        """``scores`` gives what every check said of a sample; ``policy`` is the policy's digest."""
        self._inputs = inputs
        self._kept = kept
        self._scores = scores
        self._policy = policy

    def contents(self) -> Mapping[str, str]:
        """A hash of everything that is in a sample, by key."""
        return {key: self._content(kept) for key, kept in self._kept.items()}

    def load(self, key: str) -> TrainingSample:
        """One sample.

        Raises:
            InvalidInput: a file changed since it was measured.

        """
        kept = self._kept[key]
        item = kept.item
        if kept.cut is not None:
            target = _checked(kept.cut.read_bytes(), kept.cut_sha256, key)
        else:
            target = self._read(item.name, kept.sha256)
        return TrainingSample(
            key=key,
            target=Media(target, kept.kind),
            text=item.caption.text.strip(),
            inputs=tuple(
                SampleInput(
                    c.name,
                    c.role,
                    Media(self._read(c.entry.name, kept.companions[c.entry.name]), c.kind),
                )
                for c in item.companions
            ),
            capability=capability_of(item),
            source_sha256=kept.sha256,
            lineage=self._lineage(kept),
        )

    def _content(self, kept: Kept) -> str:
        facts: list[Any] = [kept.media_sha256, kept.item.caption.text, capability_of(kept.item)]
        facts += [
            [c.name, c.role.value, kept.companions[c.entry.name]] for c in kept.item.companions
        ]
        text = json.dumps([facts, self._lineage(kept)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _lineage(self, kept: Kept) -> dict[str, Any]:
        item = kept.item
        found: dict[str, Any] = {
            "file": item.name,
            "licence": item.licence,
            "source": item.source,
            "policy": self._policy,
            "checks": dict(self._scores(kept)),
        }
        if item.caption.where:
            found["caption"] = item.caption.where
        if item.companions:
            found["companions"] = {n: kept.companions[n] for n in sorted(kept.companions)}
        if kept.cut is not None:
            found["shot"] = {"start_s": kept.shot.start_s, "end_s": kept.shot.end_s}
        return found

    def _read(self, name: str, sha256: str) -> bytes:
        with self._inputs.local(name) as path:
            return _checked(path.read_bytes(), sha256, name)


def capability_of(item: Item) -> str:
    """The row of the capability table that a sample teaches, by what it gives the model."""
    roles = {companion.role for companion in item.companions}
    subjects = bool(roles & {Role.REFERENCE, Role.ELEMENT})
    for role, capability in (
        (Role.SOURCE, "C12" if subjects else "C8"),
        (Role.MOTION, "C16"),
        (Role.CAMERA, "C17"),
        (Role.LAST_FRAME, "C19"),
        (Role.FIRST_FRAME, "C18"),
        (Role.STORYBOARD, "C24"),
        (Role.ANNOTATION, "C22"),
        (Role.ELEMENT, "C3" if Role.REFERENCE in roles else "C2"),
        (Role.REFERENCE, "C1"),
    ):
        if role in roles:
            return capability
    return "C20"


def _checked(data: bytes, sha256: str, name: str) -> bytes:
    if sha256_of(data) != sha256:
        raise InvalidInput(
            f"{name} changed since it was measured; run the command again", field=name
        )
    return data
