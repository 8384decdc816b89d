"""Training samples and preference pairs for the models of :mod:`tests.support.tiny_models`."""

from __future__ import annotations

from omnireel.model.sequence import Segment
from omnireel.model.text import Tokenizer
from omnireel.mvl import parse
from omnireel.mvl.prompt import Input
from omnireel.train.latent_record import LatentRecord
from omnireel.train.preferences import Candidate, PreferencePair, Verdict
from omnireel.types import MediaKind, Role
from tests.support.tiny_models import latents

TOKENIZER = Tokenizer(("a", "red", "ball", "move"))


def record(seed: int, frames: int = 3) -> LatentRecord:
    """Even seeds are text to video, odd ones edit a source video with a reference image."""
    inputs = [Input("V", MediaKind.VIDEO, Role.SOURCE), Input("I", MediaKind.IMAGE, Role.REFERENCE)]
    segments = (
        Segment(latents(frames, 4, 4, seed + 100), Role.SOURCE, 1),
        Segment(latents(1, 4, 4, seed + 200), Role.REFERENCE, 2),
    )
    editing = seed % 2 == 1
    words = "a red ball @V @I" if editing else "a ball move"
    prompt = parse(words, inputs if editing else [], [])
    return LatentRecord(
        capability="C1",
        seed=seed,
        prompt=prompt,
        vague_prompt=prompt,
        target_CTHW=latents(frames, 4, 4, seed),
        segments=segments if editing else (),
    )


def preference_pair(
    seed: int, *verdicts: Verdict, frames: int = 3, segments: bool = True
) -> PreferencePair:
    """A pair whose samples and noise are random."""
    base = record(seed, frames)
    first, second = (
        Candidate(
            latents(frames, 4, 4, seed + offset),
            latents(frames, 4, 4, seed + offset + 50),
            seed=seed + offset,
            scores={"visual": 0.5 + offset / 1000},
        )
        for offset in (300, 400)
    )
    return PreferencePair(
        capability=base.capability,
        prompt=base.prompt,
        segments=base.segments if segments else (),
        first=first,
        second=second,
        verdicts=verdicts or (Verdict.FIRST,),
        judge="oracles",
        round=2,
    )
