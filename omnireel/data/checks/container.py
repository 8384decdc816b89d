"""Whether a file is what it says: that it opens, is undamaged, plays as long as it says, sounds."""

from __future__ import annotations

from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier
from omnireel.types import MediaKind


class Readable(Check):
    """A file, or a companion of it, that cannot be opened or read to its end; or a companion that
    is an image where its name says video, or the reverse."""

    name, tier, version = "readable", Tier.BASIC, 2
    unit = "1: it and its companions could be opened and read to their ends, 0: one could not"
    scale = Bounds(0, 1)
    standard = Bounds(low=1)
    needs_frames = False
    needs_companions = True

    def measure(self, candidate: Candidate) -> Measurement | None:
        """The detail has the reader's own words, and names the companion."""
        error = candidate.file.error or next(
            (f"@{c.name} ({c.role.value}): {c.error}" for c in candidate.companions if c.error), ""
        )
        return Measurement(0.0 if error else 1.0, {"error": error} if error else {})


class Damage(Check):
    """Parts of the picture track that were lost or overwritten."""

    name, tier, version = "damage", Tier.BASIC, 1
    unit = "packets and frames that are damaged, per thousand packets"
    scale = Bounds(0, 2000)
    standard = Bounds(high=0)
    needs_frames = False

    def measure(self, candidate: Candidate) -> Measurement | None:
        """What the decoder refused or flagged; frames that nobody needs are not decoded."""
        file = candidate.file
        if not file.packets:
            return None
        return Measurement(1000 * file.corrupt / file.packets, {"count": file.corrupt})


class SaidDuration(Check):
    """A header that promises another length than the packets have: cut off, or patched."""

    name, tier, version = "said_duration", Tier.BASIC, 1
    unit = "difference between the duration in the header and the real one, share of the real one"
    scale = Bounds(0, 1_000_000)
    standard = Bounds(high=0.1)
    needs_frames = False

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Not applicable to files that say none, and to images. A tenth of a second is nothing."""
        file = candidate.file
        if file.kind is MediaKind.IMAGE or not file.said_s or not file.seen_s:
            return None
        apart = max(0.0, abs(file.said_s - file.seen_s) - 0.1)
        facts = {"said_s": round(file.said_s, 3), "seen_s": round(file.seen_s, 3)}
        return Measurement(min(self.scale.high, apart / file.seen_s), facts)


class Sound(Check):
    """A sound track that cannot be decoded, or ends long before or after the picture."""

    name, tier, version = "sound", Tier.BASIC, 1
    unit = "0: it has a sound track that is whole, 1: it has none, 2: it has a broken one"
    scale = Bounds(0, 2)
    standard = Bounds(high=1)
    needs_frames = False

    def measure(self, candidate: Candidate) -> Measurement | None:
        """``high: 0`` in a policy asks for sound. Not applicable to images."""
        file = candidate.file
        if file.kind is MediaKind.IMAGE:
            return None
        if file.audio is None:
            return Measurement(1.0)
        apart_s = abs(file.audio.seconds - file.seen_s)
        broken = file.audio.broken or apart_s > max(1.0, 0.1 * file.seen_s)
        facts = {"broken": file.audio.broken, "apart_s": round(apart_s, 3)}
        return Measurement(2.0 if broken else 0.0, facts)
