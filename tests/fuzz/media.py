"""Mutated media through the sandbox, as uploads go."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from omnireel.errors import InvalidInput
from services.common.sandbox import MediaSandbox, SandboxConfig
from tests.fuzz.tally import Tally
from tests.support.hostile_media import CASES, LIMITS

MAX_SEED_BYTES = 60_000
_NUMBERS = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0")


def mutate(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """A few flips, numbers, cuts, repeats and splices."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not made:
            break
        at = rng.randrange(len(made)) if rng.random() < 0.5 else rng.randrange(min(len(made), 400))
        kind = rng.randrange(7)
        if kind == 0:
            made[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            made[at] = rng.randrange(256)
        elif kind == 2:
            number = rng.choice(_NUMBERS)
            made[at : at + len(number)] = number
        elif kind == 3:
            del made[at : at + rng.randrange(1, 64)]
        elif kind == 4:
            made[at:at] = made[at : at + rng.randrange(1, 256)] * rng.choice((1, 2, 8))
        elif kind == 5:
            del made[max(at, 16) :]
        else:
            start = rng.randrange(len(other)) if other else 0
            made[at : at + 64] = other[start : start + rng.randrange(1, 128)]
    return bytes(made)


def fuzz_media(count: int, seed: int) -> Tally:
    """Every input is accepted or refused with one violation that names the field."""
    tally, rng = Tally("media"), random.Random(seed)
    seeds = [data for case in CASES if len(data := case.make()) <= MAX_SEED_BYTES]
    config = SandboxConfig(processes=1, wall_s=20.0, cpu_s=20.0, memory_bytes=512 << 20)
    sandbox = MediaSandbox(LIMITS, config)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "upload")
        for number in range(count):
            data = mutate(rng.choice(seeds), rng.choice(seeds), rng)
            path.write_bytes(data)
            with tally.one(f"seed={seed} number={number} bytes={len(data)}", (InvalidInput,)):
                try:
                    facts = sandbox.describe(path, field="chunk")
                except InvalidInput as error:
                    _check_refusal(tally, error, data, number, seed)
                    raise
                assert 1 <= facts.num_frames <= LIMITS.max_frames
                assert facts.width * facts.height <= LIMITS.max_pixels
    sandbox.close()
    return tally


def _check_refusal(tally: Tally, error: InvalidInput, data: bytes, number: int, seed: int) -> None:
    assert [violation.field for violation in error.violations] == ["chunk"]
    if "longer than 20 s to decode" in error.message or "s of computing" in error.message:
        tally.hangs += 1
        tally.stories.append(f"media: seed={seed} number={number}: {error.message}")
    elif "decoder broke" in error.message or error.message.startswith("chunk cannot be decoded;"):
        tally.contained += 1
        kept = Path(tempfile.gettempdir(), f"omnireel-fuzz-{seed}-{number}")
        kept.write_bytes(data)
        tally.stories.append(f"media: contained, kept as {kept}: {error.message}")
