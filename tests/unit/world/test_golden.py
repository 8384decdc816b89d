"""Plans of each seed stay as they are: cases, scores and trained models rest on them.

`python -m tests.unit.world.test_golden` writes the file anew, for new capabilities only: what is
in it already is kept.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path

import pytest

from omnireel.types import VideoFormat
from omnireel.world.lexicon import vocabulary
from omnireel.world.tasks import CAPABILITIES, draw_plan, sample_task

FILE = Path(__file__).with_name("golden_plans.json")
SEEDS = (0, 1, 2, 1_000_000_000)
SPLITS = ("train", "held_out")
FORMAT = VideoFormat(32, 32, 2, 1.0)
GOLDEN = json.loads(FILE.read_text()) if FILE.exists() else {}


def plain(value: object) -> object:
    """Data without the fields that hold their default, so that a new field changes nothing."""
    if is_dataclass(value) and not isinstance(value, type):
        kept: dict[str, object] = {"is": type(value).__name__}
        for field in fields(value):
            own = getattr(value, field.name)
            default = field.default
            if field.default_factory is not MISSING:
                default = field.default_factory()
            if own != default:
                kept[field.name] = plain(own)
        return kept
    if isinstance(value, frozenset):
        return sorted(str(v) for v in value)
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return f"{value:.9g}"
    return value


def plan_hash(capability: str, seed: int, split: str) -> str:
    plan = draw_plan(capability, seed, 2.125, split)  # type: ignore[arg-type]
    text = json.dumps(plain(plan), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def mean_color(capability: str) -> list[float]:
    """Of the target, and of each condition, to a tenth of a level."""
    task = sample_task(capability, 0, FORMAT)
    clips = [task.target, *(clip for clips in task.media.values() for clip in clips)]
    return [round(float(clip.frames_THWC.mean()), 1) for clip in clips]


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_plans_of_a_seed_never_change(capability: str) -> None:
    found = {s: [plan_hash(capability, seed, s) for seed in SEEDS] for s in SPLITS}
    assert found == GOLDEN[capability]["plans"]


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_pictures_of_a_seed_never_change(capability: str) -> None:
    # Processors round differently, so the comparison is not exact.
    assert mean_color(capability) == pytest.approx(GOLDEN[capability]["colors"], abs=0.2)


def test_the_vocabulary_of_trained_models_stays() -> None:
    text = "\n".join(vocabulary())
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == GOLDEN["vocabulary"]


def write() -> None:
    """Add what is missing."""
    known = dict(GOLDEN)
    known.setdefault(
        "vocabulary", hashlib.sha256("\n".join(vocabulary()).encode()).hexdigest()[:16]
    )
    for capability in CAPABILITIES:
        if capability not in known:
            plans = {s: [plan_hash(capability, seed, s) for seed in SEEDS] for s in SPLITS}
            known[capability] = {"plans": plans, "colors": mean_color(capability)}
    FILE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    write()
