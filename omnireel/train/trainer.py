"""The training loop. It knows optimisation, time and files; it knows no objective and no data.

1. Take the lock of the run folder; resume from its checkpoint when asked to.
2. Each step: ``accumulate`` batches -> loss -> gradients -> clip -> Muon and AdamW -> averages.
   On several ranks the engine shares out the batches of a step, and everything else.
3. Every so often: log, validate with the averaged weights, write a checkpoint.
4. Stop at ``num_steps``, when the time budget is used up, or when asked to; checkpoint once more.

The learning rate follows max(step / num_steps, elapsed / budget), so a run with a time budget
decays fully before its time is over. Every batch and every random number of a step follows from
(seed, step): an interrupted and resumed run equals an uninterrupted one bit for bit on the CPU
(without a time budget, which depends on the clock), and a run on several ranks equals one alone up
to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from omnireel.errors import FailedPrecondition
from omnireel.parallel.ranks import Rank
from omnireel.train.callbacks import Callback, CallbackList, JsonlMetrics, RunInfo, StepEvent
from omnireel.train.checkpoint import latest_checkpoint, load_checkpoint
from omnireel.train.clock import RunClock
from omnireel.train.ema import Ema
from omnireel.train.engine import Snapshot, open_engine
from omnireel.train.feed import Feed, ShareOfBatches, TrainData
from omnireel.train.lock import own_folder
from omnireel.train.means import RunningMeans
from omnireel.train.objective import Objective, named_parameters
from omnireel.train.passes import Passes
from omnireel.train.same_run import check_same_config
from omnireel.train.saving import CheckpointWriter, restore_random
from omnireel.train.schedule import multiplier
from omnireel.train.stability import StepJudge, Verdict
from omnireel.train.throughput import Meter, peak_memory
from omnireel.train.trainer_config import TrainerConfig


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
        rank: Rank | None = None,
        weigh: Callable[[Any], float] | None = None,
        peak_flops: float | None = None,
        beat: Callable[[str, int], None] = lambda phase, step: None,
    ) -> None:
        """Prepare; on several ranks all do, after they joined.

        Args:
            config: the loop.
            objective: what is trained.
            data: batches by number, the same on all ranks.
            run: the folder of the run; on several machines it must be the same for all.
            name: for people.
            description: the flat configuration; it is saved and compared on resume.
            callbacks: who hears of the run; only those of rank 0 do.
            rank: who we are; by default alone.
            weigh: how much a batch counts in the mean of a step; by default all the same.
            peak_flops: what one rank's device can do at most per second, for MFU; by default not
                known.
            beat: called with (phase, step) whenever something got done.

        """
        self.config, self.objective, self.data, self.run = config, objective, data, run
        self.name = name
        self.description = dict(description or {})
        self._num_parameters = sum(p.numel() for p in named_parameters(objective).values())
        self.engine = open_engine(config, objective, rank or Rank())
        self.ema = Ema(config.ema, self.engine.averaged())
        heard = (JsonlMetrics(run), *callbacks) if self.engine.rank.main else ()
        self.callbacks = CallbackList(heard)
        self.step = self.num_samples = 0
        self._weigh, self._beat = weigh, beat
        self._judge = StepJudge(
            config.non_finite, config.spike, config.spike_factor, config.max_skips
        )
        self._data_offset = 0
        self._clock = RunClock(config.num_steps, config.max_minutes)
        self._stop_wanted = self._stop = False
        self._log = RunningMeans()
        self._meter = Meter(
            self.engine.communicated_s, peak_flops, memory=partial(peak_memory, config.device)
        )
        self._passes = Passes(config, objective, self.engine, self._log, self._meter)
        self._writer = CheckpointWriter(run, self.engine, config.keep_checkpoints)

    def request_stop(self) -> None:
        """Finish the current step, write a checkpoint and return (safe in a signal handler)."""
        self._stop_wanted = True

    def fit(
        self, *, resume: bool = False, on_locked: Callable[[], None] = lambda: None
    ) -> TrainResult:
        """Train to the end. ``on_locked`` runs once the folder is ours and any resume succeeded.

        Raises:
            AlreadyExists: the folder holds a run and ``resume`` is not set.
            FailedPrecondition: another run uses the folder, or the loss is not finite.
            InvalidInput: the checkpoint was made with another configuration.

        """
        rank = self.engine.rank
        with own_folder(self.run, rank.main, self.engine.gather, resume=resume):
            self._writer.clear()
            if resume:
                self._resume()
            if rank.main:
                on_locked()
            if self.config.threads:
                torch.set_num_threads(self.config.threads)
            self._clock.start()
            with self.callbacks.start(self._info()):
                self._loop()
            return TrainResult(
                self.step, self._clock.own_s, self.num_samples, self._judge.skipped, self._stop
            )

    def _loop(self) -> None:
        feed = self._open_feed()
        saved_at = self.step if self.step else -1
        try:
            self._agree()
            self._meter.start()
            while not self._finished():
                rate = multiplier(self.config.schedule, self.step, self._clock.progress(self.step))
                verdict = self._train_step(feed, rate)
                if verdict is not None and verdict.policy == "roll_back":
                    feed.close()
                    self._roll_back(verdict)
                    feed = self._open_feed()
                    continue
                self.step += 1
                self.callbacks.step = self.step
                self._beat("step", self.step)
                if self.step % self.config.log_every == 0 or self._finished():
                    self.callbacks.on_step(self._event(rate))
                if self.step % self.config.validate_every == 0 or self._complete():
                    self._validate()
                self._tell(self._writer.poll())
                if self.step % self.config.checkpoint_every == 0:
                    self._save(background=self.config.background_checkpoints)
                    saved_at = self.step
            if saved_at != self.step:
                self._save(background=False)
            self._tell(self._writer.finish())
        finally:
            feed.close()

    def _open_feed(self) -> Feed:
        engine = self.engine
        share = ShareOfBatches(self.data, self.config.accumulate, engine.group, engine.groups)
        self._batches = share
        return Feed(share, self.config.feed, start=(self.step + self._data_offset) * share.own)

    def _train_step(self, feed: Feed, rate: float) -> Verdict | None:
        """One update; what went wrong, if anything."""
        meter = self._meter
        with meter.phase("data"):
            batches = [feed.take() for _ in range(self._batches.own)]
        with meter.phase("communication"):
            shares = self._batches.shares(batches, self._weigh, self.engine.sum)
        with meter.phase("passes"):
            total, samples = self._passes.run(
                batches,
                shares,
                lambda i: self._beat("micro-batch" if i else "data", self.step),
                data_step=self.step + self._data_offset,
                first=self._batches.group * self._batches.own,
            )
        with meter.phase("optimizer"):
            norm = self.engine.step(rate, self._judge.norm_limit)
        with meter.phase("communication"):
            loss, samples_everywhere = self._agree(total, samples)
        self.num_samples += int(samples_everywhere)
        verdict = self._judge(self.step, loss, norm)
        if verdict is None:
            self._log.add({"grad_norm": norm})
            with meter.phase("optimizer"):
                self.ema.update()
        elif verdict.policy == "skip":
            self._log.add({"skipped": 1.0})
            self.callbacks.on_notice(self.step, f"{verdict.what}; the step was skipped")
        return verdict

    def _roll_back(self, verdict: Verdict) -> None:
        """Go back to the last checkpoint, and on with the batches after the bad step."""
        self._tell(self._writer.finish())
        bad, skipped, data_step = self.step, self._judge.skipped, self.step + self._data_offset
        if latest_checkpoint(self.run) is None:
            raise FailedPrecondition(
                f"The {verdict.what} at step {bad}, and there is no checkpoint to go back to",
                reason="LOSS_NOT_FINITE",
            )
        elapsed = self._clock.own_s
        self._resume()
        self._judge.skipped = skipped
        self._clock.resume(elapsed)
        self._clock.start()
        self._data_offset = data_step + 1 - self.step
        self.callbacks.on_notice(
            bad, f"{verdict.what}; back to step {self.step}, leaving out the batches since"
        )

    def _validate(self) -> None:
        self._beat("validation", self.step)
        for module in self.objective.modules().values():
            module.eval()
        with self._meter.phase("validation"), torch.no_grad(), self.ema.swapped_in():
            report = self.engine.evaluate(self.objective.validate)
        self.callbacks.on_validation(self.step, report)
        self._beat("step", self.step)

    def _agree(self, loss: float = 0.0, samples: int = 0) -> tuple[float, float]:
        """The step's loss and samples over all ranks; all take over rank 0's clock, and a wish to
        stop that any of them has."""
        engine = self.engine
        clock = self._clock.own_s * engine.rank.world / engine.groups if engine.rank.main else 0.0
        values = [loss, float(samples), clock, float(self._stop_wanted)]
        loss, everywhere, elapsed, wishes = engine.sum(values)
        if engine.rank.world > 1:
            self._clock.agree(elapsed)
        self._stop = self._stop or wishes > 0
        return loss, everywhere

    def _complete(self) -> bool:
        return self._clock.progress(self.step) >= 1.0

    def _finished(self) -> bool:
        if self.engine.rank.world == 1:
            self._stop = self._stop_wanted  # several ranks agree on it once a step
        return self._stop or self._complete()

    def _event(self, rate: float) -> StepEvent:
        engine = self.engine
        metrics = self._log.take(engine.gather)
        return StepEvent(
            step=self.step,
            num_steps=self.config.num_steps,
            progress=self._clock.progress(self.step),
            metrics={**metrics, "lr_multiplier": rate, "skipped_steps": float(self._judge.skipped)},
            throughput=self._meter.take(
                engine.sum, engine.gather, engine.groups, engine.rank.world
            ),
            eta_s=self._clock.left_s(self.step),
        )

    def _info(self) -> RunInfo:
        return RunInfo(
            folder=self.run,
            name=self.name,
            num_steps=self.config.num_steps,
            start_step=self.step,
            max_minutes=self.config.max_minutes,
            config=self.description,
            num_parameters=self._num_parameters,
            placement=self.engine.describe(),
        )

    def _save(self, *, background: bool) -> None:
        self._beat("checkpoint", self.step)
        with self._meter.phase("checkpoint"):
            self._write(background=background)
        self._beat("step", self.step)

    def _write(self, *, background: bool) -> None:
        self._tell(self._writer.finish())
        state = {
            "name": self.name,
            "elapsed_s": self._clock.own_s,
            "num_samples": self.num_samples,
            "skipped": self._judge.skipped,
            "data_offset": self._data_offset,
            "norms": self._judge.norms(),
            "ema_updates": self.ema.updates,
            "ema_decays": list(self.config.ema.decays),
            "objective": dict(self.objective.state_dict()),
            "config": self.description,
        }
        self._writer.start(self.step, self.engine.snapshot(self.ema), state)
        if not background:
            self._tell(self._writer.finish())

    def _tell(self, committed: tuple[int, Path] | None) -> None:
        if committed is not None:
            self.callbacks.on_checkpoint(*committed)

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.run)
        state = checkpoint.state
        check_same_config(state["config"], self.description)
        self.engine.restore(
            Snapshot(checkpoint.model, checkpoint.ema, checkpoint.optimizer), self.ema
        )
        self.ema.updates = state["ema_updates"]
        self.objective.load_state_dict(state["objective"])
        restore_random(checkpoint, self.engine.rank)
        self.step = checkpoint.step
        self.num_samples = state["num_samples"]
        self._clock.resume(state["elapsed_s"])
        # Checkpoints of earlier releases have neither.
        self._data_offset = state.get("data_offset", 0)
        self._judge.restore(state["skipped"], state.get("norms", ()))
