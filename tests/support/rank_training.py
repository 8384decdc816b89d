"""A short training run of the generator on one or several ranks; ranks can import it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from omnireel.model.block import Block
from omnireel.model.offload import HostOffload
from omnireel.model.sequence import pack
from omnireel.parallel import ParallelConfig, Rank
from omnireel.train import (
    EmaConfig,
    FeedConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainData,
    Trainer,
    TrainerConfig,
    TrainResult,
)
from omnireel.train.balance import CostModel, PackedBatches, PackingConfig, SampleLength
from omnireel.train.balance.lengths import record_length
from omnireel.train.checkpoint import load_checkpoint
from omnireel.train.latent_record import LatentRecord
from omnireel.train.objectives.flow_matching import FlowMatching, FlowMatchingConfig
from tests.support.parallel_cases import four_heads
from tests.support.tiny_records import TOKENIZER, record


@dataclass(frozen=True)
class RankCase:
    """How one run shares its work. ``samples`` above 1: mixed lengths packed into a batch; 0:
    packed into a budget of tokens, balanced."""

    zero: int
    ulysses: int = 1
    samples: int = 3
    muon: bool = True
    offload: bool = False
    """Activations of all blocks move to the host."""
    max_degree: int = 1
    """Above 1: the balanced batches of a step are small, and long samples are shared by more ranks
    than short ones."""
    recompute: bool = False
    """Everything is computed again in the backward pass."""

    def __str__(self) -> str:
        packed = {0: "balanced", 1: "single"}.get(self.samples, "packed")
        optimiser = "muon" if self.muon else "adamw"
        name = f"zero{self.zero}-ulysses{self.ulysses}-{packed}-{optimiser}"
        name += f"-degree{self.max_degree}" if self.max_degree > 1 else ""
        name += "-recompute" if self.recompute else ""
        return f"{name}-offload" if self.offload else name


@dataclass(frozen=True)
class RankRun:
    """Steps, batches per step and everything else that is the same on any number of ranks."""

    steps: int = 3
    accumulate: int = 2
    changes: Mapping[str, Any] = field(default_factory=dict)


class MixedData:
    """Batches of edits and text to video, of one to three latent frames."""

    def __init__(self, samples: int) -> None:
        self._samples = samples

    def batch(self, index: int) -> list[LatentRecord]:
        first = index * self._samples
        return [record(first + i, frames=1 + (first + i) % 3) for i in range(self._samples)]


class RecordSource:
    """Records of one to three latent frames, with and without conditions, and their lengths."""

    TEXT = 6

    def __init__(self, count: int) -> None:
        self.count = count

    def lengths(self) -> list[SampleLength]:
        return [record_length(self.sample(i), self.TEXT) for i in range(self.count)]

    def sample(self, index: int) -> LatentRecord:
        return record(index, frames=1 + index % 3)


def data_of(case: RankCase, run: RankRun) -> TrainData:
    if case.samples:
        return MixedData(case.samples)
    cost = CostModel(0.0, 1.0, 0.001, 0.1)
    tokens = 120 if case.max_degree == 1 else 40 // case.max_degree
    config = PackingConfig(max_tokens=tokens, max_degree=case.max_degree)
    return PackedBatches(RecordSource(60), parts=run.accumulate, cost=cost, config=config)


def config_of(case: RankCase, run: RankRun) -> TrainerConfig:
    values: dict[str, Any] = {
        "num_steps": run.steps,
        "accumulate": run.accumulate,
        "clip_norm": 0.5,
        "log_every": 1,
        "validate_every": 2,
        "checkpoint_every": 100,
        "optimizer": OptimizerConfig(
            muon_lr=0.02 if case.muon else 0.0,
            adamw_lr=1e-2,
            muon_weight_decay=0.1,
            adamw_weight_decay=0.1,
            # Adam divides by the gradient's size: where that is nothing but rounding, 1e-8 would
            # turn it into a step.
            adamw_betas=(0.9, 0.98),
            lr_multipliers={"bias": 0.5},
        ),
        "schedule": ScheduleConfig(kind="constant", warmup_steps=2),
        "ema": EmaConfig(decays=(0.9, 0.5)),
        "feed": FeedConfig(workers=0),
        "parallel": ParallelConfig(zero=case.zero, ulysses=case.ulysses),  # type: ignore[arg-type]
        **run.changes,
    }
    return TrainerConfig(**values)


def flow_trainer(case: RankCase, run: RankRun, folder: Path, rank: Rank) -> Trainer:
    model, host = four_heads(), HostOffload(min_bytes=64)
    for block in model.blocks if case.offload else ():
        assert isinstance(block, Block)
        block.offload, block.host = frozenset({"attention", "mlp"}), host
    for block in model.blocks if case.recompute else ():
        assert isinstance(block, Block)
        block.recompute = frozenset({"attention", "mlp"})
    objective = FlowMatching(
        model,
        TOKENIZER,
        FlowMatchingConfig(mean_over="tokens"),
        pack,
        held_out=[record(90), record(91)],
    )
    return Trainer(
        config_of(case, run),
        objective,
        data_of(case, run),
        folder,
        rank=rank,
        weigh=objective.weigh,
    )


def this_rank() -> Rank:
    return Rank(dist.get_rank(), dist.get_world_size(), dist.get_rank())


def train_on_ranks(jobs: list[tuple[RankCase, RankRun, Path, bool]]) -> list[TrainResult]:
    """Runs on every rank: (case, run, folder, resume) one after the other."""
    logging.disable(logging.WARNING)
    return [
        flow_trainer(case, run, folder, this_rank()).fit(resume=resume)
        for case, run, folder, resume in jobs
    ]


@dataclass(frozen=True, eq=False)
class Trained:
    """What a run left in its folder."""

    losses: list[float]
    norms: list[float]
    validation: list[float]
    groups: dict[str, dict[str, Tensor]]


def read_trained(folder: Path) -> Trained:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in rows if row["event"] == "train"]
    saved = load_checkpoint(folder)
    return Trained(
        [row["loss"] for row in steps],
        [row["grad_norm"] for row in steps],
        [row["loss"] for row in rows if row["event"] == "validation"],
        {"model": dict(saved.model), "ema": dict(saved.ema), "optimizer": dict(saved.optimizer)},
    )


def largest_difference(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    assert one.keys() == other.keys(), sorted(one.keys() ^ other.keys())[:3]
    return max(
        float((one[n].double() - other[n].double()).abs().max()) for n in one if one[n].numel()
    )


def one_process(case: RankCase, run: RankRun, folder: Path) -> Trained:
    torch.set_num_threads(1)
    alone = RankCase(0, 1, case.samples, case.muon, max_degree=case.max_degree)
    flow_trainer(alone, run, folder, Rank()).fit()
    return read_trained(folder)
