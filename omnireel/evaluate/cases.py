"""The fixed cases of the quick evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from omnireel.errors import InvalidInput
from omnireel.evaluate.oracles import oracles_of
from omnireel.types import VideoFormat
from omnireel.world.distribution import SceneDistribution
from omnireel.world.holdout import Split
from omnireel.world.tasks import CAPABILITIES, TaskSample, sample_task

FIRST_SEED = 1_000_000_000
"""Seeds of evaluation cases start here; training counts its seeds up from zero and never gets
this far, so no case is a training sample."""
QUICK_FORMAT = VideoFormat(width=64, height=64, num_frames=17, fps=8.0)


@dataclass(frozen=True)
class CaseConfig:
    """Which cases: ``count`` held-in ones per capability (combinations as in training, new seeds)
    and, on top, ``held_out_share`` times as many of combinations that training never shows.
    """

    capabilities: tuple[str, ...] = CAPABILITIES
    count: int = 8
    held_out_share: float = 0.5
    seed: int = 0
    format: VideoFormat = QUICK_FORMAT
    scenes: SceneDistribution = field(default_factory=SceneDistribution)
    """How likely each kind of scene is, where the capability does not need its own kind."""

    def __post_init__(self) -> None:
        for capability in self.capabilities:
            oracles_of(capability)
        if self.count < 2:
            raise InvalidInput(
                "count must be 2 or more: the shuffled control needs another case",
                field="count",
            )
        if self.seed < 0:
            raise InvalidInput(f"seed must be at least 0, not {self.seed}", field="seed")
        if not 0.0 <= self.held_out_share <= 1.0:
            raise InvalidInput("the held-out share is between 0 and 1", field="held_out_share")

    @property
    def held_out_count(self) -> int:
        """Held-out cases per capability; none or at least two, for the shuffled control."""
        wanted = round(self.count * self.held_out_share)
        return max(wanted, 2) if wanted else 0

    @property
    def cases_per_capability(self) -> int:
        """All cases of one capability."""
        return self.count + self.held_out_count


@dataclass(frozen=True, eq=False)
class Case:
    """One task to solve; ``name`` says it shortly, as in "C20/train/3"."""

    name: str
    split: Split
    sample: TaskSample


def cases_of(capability: str, config: CaseConfig) -> Iterator[Case]:
    """The cases of one capability; equal configurations give equal cases."""
    splits: tuple[tuple[Split, int], ...] = (
        ("train", config.count),
        ("held_out", config.held_out_count),
    )
    for split, count in splits:
        for i in range(count):
            seed = FIRST_SEED + config.seed * 10_000 + i
            sample = sample_task(capability, seed, config.format, split=split, scenes=config.scenes)
            yield Case(f"{capability}/{split}/{i}", split, sample)
