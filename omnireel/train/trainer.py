"""The training loop. It knows optimisation, time and files; it knows no objective and no data.

1. Take the lock of the run folder; resume from its checkpoint when asked to.
2. Each step: ``accumulate`` batches -> loss -> gradients -> clip -> Muon and AdamW -> averages.
3. Every so often: log, validate with the averaged weights, write a checkpoint.
4. Stop at ``num_steps``, when the time budget is used up, or when asked to; checkpoint once more.

The learning rate follows max(step / num_steps, elapsed / budget), so a run with a time budget
decays fully before its time is over. Every batch and every random number of a step follows from
(seed, step): an interrupted and resumed run equals an uninterrupted one bit for bit on the CPU
(without a time budget, which depends on the clock).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from omnireel.errors import AlreadyExists, FailedPrecondition, IntegrityError, InvalidInput
from omnireel.train.callbacks import Callback, CallbackList, JsonlMetrics, RunInfo, StepEvent
from omnireel.train.checkpoint import (
    Checkpoint,
    latest_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from omnireel.train.ema import Ema, EmaConfig
from omnireel.train.feed import Feed, FeedConfig, TrainData
from omnireel.train.lock import run_lock
from omnireel.train.means import RunningMeans
from omnireel.train.objective import LossReport, Objective, named_parameters, named_tensors
from omnireel.train.optim import OptimizerConfig, Optimizers
from omnireel.train.randomness import random_state, restore_random_state, step_seed
from omnireel.train.same_run import check_same_config
from omnireel.train.schedule import ScheduleConfig, multiplier


@dataclass(frozen=True)
class TrainerConfig:
    """Everything about the loop. Times are minutes of wall clock over all parts of the run."""

    num_steps: int
    max_minutes: float | None = None
    seed: int = 0
    accumulate: int = 1
    """Batches per step; their losses are averaged."""
    clip_norm: float = 1.0
    """Gradients are scaled down to this norm; 0 turns clipping off."""
    non_finite: Literal["skip", "stop"] = "skip"
    max_skips: int = 50
    """More skipped steps than this in one run stop it."""
    log_every: int = 20
    validate_every: int = 500
    checkpoint_every: int = 500
    keep_checkpoints: int = 2
    threads: int = 1
    """torch threads for the forward and backward pass; 0 leaves torch's own choice."""
    autocast: Literal["off", "bfloat16"] = "off"
    device: str = "cpu"
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    ema: EmaConfig = field(default_factory=EmaConfig)
    feed: FeedConfig = field(default_factory=FeedConfig)

    def __post_init__(self) -> None:
        positive = ("num_steps", "accumulate", "log_every", "validate_every", "checkpoint_every")
        for name in (*positive, "keep_checkpoints"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} must be 1 or more", field=f"trainer.{name}")
        if self.max_minutes is not None and not self.max_minutes > 0:
            raise InvalidInput("max_minutes must be more than 0", field="trainer.max_minutes")
        if self.non_finite not in ("skip", "stop"):
            raise InvalidInput("non_finite is 'skip' or 'stop'", field="trainer.non_finite")
        if self.autocast not in ("off", "bfloat16"):
            raise InvalidInput("autocast is 'off' or 'bfloat16'", field="trainer.autocast")


@dataclass(frozen=True)
class TrainResult:
    """How a run ended."""

    step: int
    elapsed_s: float
    num_samples: int
    skipped_steps: int
    stopped_early: bool


class Trainer:
    """Runs one objective on one data source into one run folder."""

    def __init__(
        self,
        config: TrainerConfig,
        objective: Objective,
        data: TrainData,
        run: Path,
        *,
        name: str = "run",
        description: Mapping[str, Any] | None = None,
        callbacks: tuple[Callback, ...] = (),
    ) -> None:
        """``description`` is the flat configuration; it is saved and compared on resume."""
        self.config, self.objective, self.data, self.run = config, objective, data, run
        self.name = name
        self.description = dict(description or {})
        self.optimizers = Optimizers(config.optimizer, named_parameters(objective))
        self.tensors = named_tensors(objective)
        self.ema = Ema(config.ema, self.tensors)
        self.callbacks = CallbackList((JsonlMetrics(run), *callbacks))
        self.step = self.skipped = self.num_samples = 0
        self._elapsed_before = 0.0
        self._started = 0.0
        self._stop = False
        self._log = RunningMeans()

    def request_stop(self) -> None:
        """Finish the current step, write a checkpoint and return (safe in a signal handler)."""
        self._stop = True

    def fit(
        self, *, resume: bool = False, on_locked: Callable[[], None] = lambda: None
    ) -> TrainResult:
        """Train to the end. ``on_locked`` runs once the folder is ours and any resume succeeded.

        Raises:
            AlreadyExists: the folder holds a run and ``resume`` is not set.
            FailedPrecondition: another run uses the folder, or the loss is not finite.
            InvalidInput: the checkpoint was made with another configuration.

        """
        with run_lock(self.run):
            if resume:
                self._resume()
            elif latest_checkpoint(self.run) is not None:
                raise AlreadyExists(
                    f"{self.run} holds a run already; add --resume, or choose another --out"
                )
            on_locked()
            if self.config.threads:
                torch.set_num_threads(self.config.threads)
            feed = Feed(self.data, self.config.feed, start=self.step * self.config.accumulate)
            self._started = time.monotonic()
            try:
                with self.callbacks.start(self._info()):
                    self._loop(feed)
            finally:
                feed.close()
            return TrainResult(
                self.step, self._elapsed(), self.num_samples, self.skipped, self._stop
            )

    def _loop(self, feed: Feed) -> None:
        saved_at = self.step if self.step else -1
        while not self._finished():
            rate = multiplier(self.config.schedule, self.step, self._progress())
            self._train_step(feed, rate)
            self.step += 1
            self.callbacks.step = self.step
            if self.step % self.config.log_every == 0 or self._finished():
                self.callbacks.on_step(self._event(rate))
            if self.step % self.config.validate_every == 0 or self._complete():
                self._validate()
            if self.step % self.config.checkpoint_every == 0:
                self._save()
                saved_at = self.step
        if saved_at != self.step:
            self._save()

    def _train_step(self, feed: Feed, rate: float) -> None:
        self.optimizers.zero_grad()
        for micro in range(self.config.accumulate):
            report = self._forward(feed.take(), micro)
            if not bool(torch.isfinite(report.loss)):
                self._skip("loss")
                return
            torch.autograd.backward(report.loss / self.config.accumulate)
            self._log.add({"loss": float(report.loss.detach()), **report.metrics})
            self.num_samples += report.num_samples
            self._log.samples += report.num_samples
        limit = self.config.clip_norm or math.inf
        norm = float(torch.nn.utils.clip_grad_norm_(self.optimizers.parameters, limit))
        if not math.isfinite(norm):
            self._skip("gradient norm")
            return
        self._log.add({"grad_norm": norm})
        self.optimizers.step(rate)
        self.ema.update()

    def _forward(self, batch: Any, micro: int) -> LossReport:
        rng = torch.Generator().manual_seed(step_seed(self.config.seed, self.step, micro))
        device_type = torch.device(self.config.device).type
        cast = (
            torch.autocast(device_type, torch.bfloat16)
            if self.config.autocast == "bfloat16"
            else nullcontext()
        )
        for module in self.objective.modules().values():
            module.train()
        with cast:
            return self.objective.loss(batch, rng)

    def _skip(self, what: str) -> None:
        """Count a step whose loss or gradient is not finite; stop when the policy says so."""
        self.skipped += 1
        self.optimizers.zero_grad()
        self._log.add({"skipped": 1.0})
        if self.config.non_finite == "stop" or self.skipped > self.config.max_skips:
            raise FailedPrecondition(
                f"The {what} is not finite at step {self.step} ({self.skipped} such steps); lower "
                "optimizer.muon_lr and optimizer.adamw_lr, or resume from the last checkpoint",
                reason="LOSS_NOT_FINITE",
            )

    def _validate(self) -> None:
        for module in self.objective.modules().values():
            module.eval()
        with torch.no_grad(), self.ema.swapped_in():
            report = self.objective.validate()
        self.callbacks.on_validation(self.step, report)

    def _elapsed(self) -> float:
        return self._elapsed_before + time.monotonic() - self._started

    def _progress(self) -> float:
        progress = self.step / self.config.num_steps
        if self.config.max_minutes is not None:
            progress = max(progress, self._elapsed() / (60.0 * self.config.max_minutes))
        return min(1.0, progress)

    def _complete(self) -> bool:
        return self._progress() >= 1.0

    def _finished(self) -> bool:
        return self._stop or self._complete()

    def _event(self, rate: float) -> StepEvent:
        elapsed, progress = self._elapsed(), self._progress()
        metrics, speed = self._log.take()
        return StepEvent(
            step=self.step,
            num_steps=self.config.num_steps,
            progress=progress,
            metrics={**metrics, "lr_multiplier": rate, "skipped_steps": float(self.skipped)},
            samples_per_s=speed,
            eta_s=elapsed * (1 - progress) / progress if progress else 0.0,
        )

    def _info(self) -> RunInfo:
        return RunInfo(
            folder=self.run,
            name=self.name,
            num_steps=self.config.num_steps,
            start_step=self.step,
            max_minutes=self.config.max_minutes,
            config=self.description,
            num_parameters=sum(p.numel() for p in named_parameters(self.objective).values()),
        )

    def _save(self) -> None:
        tensors, random_data = random_state()
        checkpoint = Checkpoint(
            step=self.step,
            model=self.tensors,
            ema=self.ema.state_tensors(),
            optimizer=self.optimizers.state_tensors(),
            random=tensors,
            state={
                "name": self.name,
                "elapsed_s": self._elapsed(),
                "num_samples": self.num_samples,
                "skipped": self.skipped,
                "ema_updates": self.ema.updates,
                "ema_decays": list(self.config.ema.decays),
                "random": random_data,
                "objective": dict(self.objective.state_dict()),
                "config": self.description,
            },
        )
        folder = save_checkpoint(self.run, checkpoint, keep=self.config.keep_checkpoints)
        self.callbacks.on_checkpoint(self.step, folder)

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.run)
        state = checkpoint.state
        check_same_config(state["config"], self.description)
        if checkpoint.model.keys() != self.tensors.keys():
            some = sorted(checkpoint.model.keys() ^ self.tensors.keys())[:3]
            raise IntegrityError(f"The checkpoint in {self.run} fits another model: {some}")
        with torch.no_grad():
            for name, tensor in checkpoint.model.items():
                self.tensors[name].copy_(tensor)
        self.ema.load_state_tensors(checkpoint.ema, state["ema_updates"])
        self.optimizers.load_state_tensors(checkpoint.optimizer)
        self.objective.load_state_dict(state["objective"])
        restore_random_state(checkpoint.random, state["random"])
        self.step, self.skipped = checkpoint.step, state["skipped"]
        self.num_samples, self._elapsed_before = state["num_samples"], state["elapsed_s"]
