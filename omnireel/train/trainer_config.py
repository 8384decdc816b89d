"""Everything about the training loop that a recipe sets."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch

from omnireel.errors import InvalidInput
from omnireel.parallel.ranks import ParallelConfig
from omnireel.train.bands import check_bands
from omnireel.train.ema import EmaConfig
from omnireel.train.feed import FeedConfig
from omnireel.train.optim import OptimizerConfig
from omnireel.train.schedule import ScheduleConfig
from omnireel.train.stability import Policy


@dataclass(frozen=True)
class TrainerConfig:
    """Everything about the loop. Times are minutes of wall clock over all parts of the run."""

    num_steps: int
    max_minutes: float | None = None
    seed: int = 0
    accumulate: int = 1
    """Batches per step, over all ranks; their losses are averaged."""
    clip_norm: float = 1.0
    """Gradients are scaled down to this norm; 0 turns clipping off."""
    non_finite: Policy = "skip"
    """When a loss or gradient is not finite: leave that step out, stop the run, or go back to the
    last checkpoint and leave out all batches since."""
    spike: Policy = "skip"
    """The same when the gradient's norm is more than ``spike_factor`` times its recent median."""
    spike_factor: float = 0.0
    """0: norms are not watched."""
    max_skips: int = 50
    """More skipped steps (or returns) than this in one run stop it."""
    stop_above: dict[str, float] = field(default_factory=dict)
    """Held-out metrics by name, and what they may be at most: beyond it the run ends at the
    checkpoint before, which is what counts then."""
    bands: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Held-out metrics by name, and their least and largest values: outside, the run goes back to
    the last checkpoint and leaves out all batches since, at most ``max_skips`` times."""
    log_every: int = 20
    validate_every: int = 500
    checkpoint_every: int = 500
    keep_checkpoints: int = 2
    background_checkpoints: bool = False
    """Write checkpoints while training goes on; needs memory for a copy of the state."""
    threads: int = 1
    """torch threads for the forward and backward pass; 0 leaves torch's own choice."""
    autocast: Literal["off", "bfloat16"] = "off"
    device: str = "cpu"
    peak_tflops: float = 0.0
    """What one device can do at most, in 10^12 operations per second, for MFU; 0: as its data sheet
    says. Of CPUs and unknown devices there is none."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    ema: EmaConfig = field(default_factory=EmaConfig)
    feed: FeedConfig = field(default_factory=FeedConfig)
    parallel: ParallelConfig = field(default_factory=ParallelConfig)

    def __post_init__(self) -> None:
        positive = ("num_steps", "accumulate", "log_every", "validate_every", "checkpoint_every")
        for name in (*positive, "keep_checkpoints"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} must be 1 or more", field=f"trainer.{name}")
        if self.max_minutes is not None and not self.max_minutes > 0:
            raise InvalidInput("max_minutes must be more than 0", field="trainer.max_minutes")
        for name in ("non_finite", "spike"):
            if getattr(self, name) not in get_args(Policy):
                choices = ", ".join(get_args(Policy))
                raise InvalidInput(f"{name} must be one of {choices}", field=f"trainer.{name}")
        check_bands(self.bands, self.validate_every, self.checkpoint_every)
        if self.spike_factor != 0 and not self.spike_factor > 1:
            raise InvalidInput(
                "spike_factor must be more than 1, or 0 for none", field="trainer.spike_factor"
            )
        if not 0 <= self.clip_norm < math.inf:
            raise InvalidInput(
                "clip_norm must be more than 0 and finite, or 0 for no clipping",
                field="trainer.clip_norm",
            )
        if self.threads < 0:
            raise InvalidInput(
                "threads must be 1 or more, or 0 for torch's own choice", field="trainer.threads"
            )
        try:
            torch.device(self.device)
        except RuntimeError as error:
            raise InvalidInput(
                f"{self.device!r} is not a device; use cpu, cuda or cuda:NUMBER",
                field="trainer.device",
            ) from error
        if not self.peak_tflops >= 0:
            raise InvalidInput("peak_tflops must be 0 or more", field="trainer.peak_tflops")
        if self.autocast not in ("off", "bfloat16"):
            raise InvalidInput("autocast must be 'off' or 'bfloat16'", field="trainer.autocast")

    @property
    def compute(self) -> torch.dtype:
        """In what type matrix products of a training pass are computed."""
        return torch.bfloat16 if self.autocast == "bfloat16" else torch.float32

    @property
    def pads_attention(self) -> bool:
        """Whether attention there pads blocks; on GPUs there are operators that do not."""
        return torch.device(self.device).type == "cpu"

    def precision(self) -> AbstractContextManager[Any]:
        """The context of a training pass: autocast or nothing."""
        if self.autocast == "off":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, torch.bfloat16)
