"""The training loop. It knows optimisation, time and files; it knows no objective and no data.

1. Take the lock of the run folder; resume from its checkpoint when asked to.
2. Each step: ``accumulate`` batches -> loss -> gradients -> clip -> Muon and AdamW -> averages.
   On several ranks the engine shares out the batches of a step, and everything else.
3. Every so often: log, validate with the averaged weights, write a checkpoint.
4. Stop at ``num_steps``, when the time budget is used up, or when asked to; checkpoint once more.
   Stop at the checkpoint before when a held-out metric leaves its limit (``stop_above``); go back
   to it, and on with other batches, when one leaves its band (``bands``).

The learning rate follows max(step / num_steps, elapsed / budget), so a run with a time budget
decays fully before its time is over. Every batch and every random number of a step follows from
(seed, step): an interrupted and resumed run equals an uninterrupted one bit for bit on the CPU
(without a time budget, which depends on the clock), and a run on several ranks equals one alone up
to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from omnireel.parallel.ranks import Rank
from omnireel.train.bands import outside
from omnireel.train.callbacks import Callback, CallbackList, JsonlMetrics, RunInfo
from omnireel.train.checkpoint import load_checkpoint
from omnireel.train.ema import Ema
from omnireel.train.engine import Snapshot, open_engine
from omnireel.train.feed import Feed, TrainData
from omnireel.train.lock import own_folder
from omnireel.train.objective import Objective, named_parameters
from omnireel.train.passes import Passes
from omnireel.train.position import Position, TrainResult
from omnireel.train.same_run import check_same_config
from omnireel.train.saving import CheckpointWriter, restore_random
from omnireel.train.schedule import multiplier
from omnireel.train.stability import Verdict, last_good
from omnireel.train.step_reports import StepReports
from omnireel.train.throughput import Meter, peak_memory
from omnireel.train.trainer_config import TrainerConfig
from omnireel.train.turns import PlannedData, Turns
from omnireel.train.validating import beyond, validated


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
            peak_flops: what one rank's device can do at most per second, if known, for MFU.
            beat: called with (phase, step) whenever something got done.

        """
        self.config, self.objective, self.data, self.run = config, objective, data, run
        self.name, self.description = name, dict(description or {})
        # Counted before the engine may share the parameters out.
        num_parameters = sum(p.numel() for p in named_parameters(objective).values())
        largest = data.largest_degree if isinstance(data, PlannedData) else 1
        self.engine = open_engine(config, objective, rank or Rank(), largest)
        self.ema = Ema(config.ema, self.engine.averaged())
        heard = (JsonlMetrics(run), *callbacks) if self.engine.rank.main else ()
        self.callbacks = CallbackList(heard)
        self.position = Position.at_start(config)
        self._beat = beat
        self._stop_wanted = self._stop_agreed = False
        self._refused = False  # by a validation
        self._meter = Meter(
            self.engine.communicated_s, peak_flops, memory=partial(peak_memory, config.device)
        )
        about = self._about(num_parameters)
        self._reports = StepReports(about, self.engine, self.callbacks, self._meter)
        self._passes = Passes(config, objective, self.engine, self._reports, weigh)
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
            self.position.clock.start()
            with self._reports.start(self.position):
                self._loop()
            return self.position.result(stopped_early=self._stopped)

    def _loop(self) -> None:
        position, config = self.position, self.config
        feed = self._open_feed()
        saved_at = position.step if position.step else -1
        try:
            self._reduce_step()
            self._meter.start()
            while not (self._stopped or position.complete):
                rate = multiplier(config.schedule, position.step, position.progress)
                verdict = self._train_step(feed, rate)
                if verdict is not None and verdict.policy == "roll_back":
                    feed = self._roll_back(feed, verdict, position.data_step)
                    continue
                position.step += 1
                self.callbacks.step = position.step
                self._beat("step", position.step)
                if position.step % config.log_every == 0 or position.complete:
                    self._reports.report(position, rate)
                if position.step % config.validate_every == 0 or position.complete:
                    verdict = self._validate()
                    if self._refused:
                        break
                    if verdict is not None:
                        feed = self._roll_back(feed, verdict, position.data_step - 1)
                        continue
                self._announce_checkpoint(self._writer.poll())
                if position.step % config.checkpoint_every == 0:
                    self._save(background=config.background_checkpoints)
                    saved_at = position.step
            if self._reports.last_step != position.step:
                self._reports.report(position, rate)
            if saved_at != position.step and not self._refused:
                self._save(background=False)
            self._announce_checkpoint(self._writer.finish())
        finally:
            feed.close()

    def _open_feed(self) -> Feed:
        config, engine = self.config, self.engine
        self._turns = Turns(self.data, config.accumulate, engine.group, engine.groups)
        return Feed(self._turns, config.feed, start=self.position.data_step * self._turns.rounds)

    def _train_step(self, feed: Feed, rate: float) -> Verdict | None:
        """One update; what went wrong, if anything."""
        position, meter = self.position, self._meter
        with meter.phase("data"):
            taken = [feed.take() for _ in range(self._turns.rounds)]
        total, samples = self._passes.run(
            [turn for turn in taken if turn is not None],
            lambda i: self._beat("micro-batch" if i else "data", position.step),
            position.data_step,
        )
        with meter.phase("communication"):
            loss, samples_everywhere = self._reduce_step(total, samples)
        with meter.phase("optimizer"):
            # A loss may be infinite where its gradient is not.
            limit = position.judge.norm_limit if math.isfinite(loss) else -math.inf
            norm = self.engine.step(rate, limit)
        position.num_samples += round(samples_everywhere)
        verdict = position.judge(position.step, loss, norm)
        if verdict is None:
            self._reports.log.add({"grad_norm": norm})
            with meter.phase("optimizer"):
                self.ema.update()
        elif verdict.policy == "skip":
            self._reports.log.add({"skipped": 1.0})
            self.callbacks.on_notice(position.step, f"{verdict.what}; the step was skipped")
        return verdict

    def _roll_back(self, feed: Feed, verdict: Verdict, data_step: int) -> Feed:
        """Go back to the last checkpoint, and on with the batches after those of ``data_step``."""
        feed.close()
        self._beat("checkpoint", self.position.step)
        self._announce_checkpoint(self._writer.finish())
        position = self.position
        bad, before = position.step, (data_step, position.judge.skipped, position.clock.own_s)
        last_good(self.run, verdict.what, bad, reason=verdict.reason)
        self._resume()
        position.leave_out(*before)
        self.callbacks.on_notice(
            bad, f"{verdict.what}; back to step {position.step}, leaving out the batches since"
        )
        return self._open_feed()

    def _validate(self) -> Verdict | None:
        """Validate; the verdict on a metric that is outside of its band."""
        beat = partial(self._beat, "validation", self.position.step)
        beat()
        with self._meter.phase("validation"):
            report = validated(self.objective, self.engine, self.ema, beat)
        self.callbacks.on_validation(self.position.step, report)
        # Rank 0 decides: others may round differently.
        limits, bands = self.config.stop_above, self.config.bands
        found = beyond(report.metrics, limits), outside(report.metrics, bands)
        problem, left = self.engine.gather(found)[0]
        if problem:
            self._announce_checkpoint(self._writer.finish())
            kept = last_good(self.run, problem, self.position.step, reason="VALIDATION_FAILED")
            self.callbacks.on_notice(self.position.step, f"{problem}; the run ends at {kept.name}")
        self._refused = bool(problem)
        self._beat("step", self.position.step)
        if self._refused or not left:
            return None
        verdict = Verdict(left, "roll_back", reason="VALIDATION_FAILED")
        self.position.judge.count(self.position.step, verdict)
        return verdict

    def _reduce_step(self, loss: float = 0.0, samples: float = 0.0) -> tuple[float, float]:
        """The step's loss and samples over all ranks; all take over rank 0's clock, and a wish to
        stop that any of them has."""
        engine, clock = self.engine, self.position.clock
        own_s = clock.own_s * engine.rank.world / engine.groups if engine.rank.main else 0.0
        loss, everywhere, elapsed, wishes = engine.sum([loss, samples, own_s, self._stop_wanted])
        if engine.rank.world > 1:
            clock.agree(elapsed)
        self._stop_agreed = self._stop_agreed or wishes > 0
        return loss, everywhere

    @property
    def _stopped(self) -> bool:
        """Whether to end early. Several ranks go by what they agreed on, once a step."""
        return self._stop_wanted if self.engine.rank.world == 1 else self._stop_agreed

    def _about(self, num_parameters: int) -> RunInfo:
        return RunInfo(
            folder=self.run,
            name=self.name,
            num_steps=self.config.num_steps,
            start_step=self.position.step,
            max_minutes=self.config.max_minutes,
            config=self.description,
            num_parameters=num_parameters,
            placement=self.engine.describe(),
        )

    def _save(self, *, background: bool) -> None:
        self._beat("checkpoint", self.position.step)
        with self._meter.phase("checkpoint"):
            self._announce_checkpoint(self._writer.finish())
            state = {
                "name": self.name,
                **self.position.state_dict(),
                "ema_updates": self.ema.updates,
                "ema_decays": list(self.config.ema.decays),
                "objective": dict(self.objective.state_dict()),
                "config": self.description,
            }
            self._writer.start(self.position.step, self.engine.snapshot(self.ema), state)
            if not background:
                self._announce_checkpoint(self._writer.finish())
        self._beat("step", self.position.step)

    def _announce_checkpoint(self, committed: tuple[int, Path] | None) -> None:
        if committed is not None:
            self.callbacks.on_checkpoint(*committed)

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.run)
        state = checkpoint.state
        check_same_config(state["config"], self.description)
        saved = Snapshot(checkpoint.model, checkpoint.ema, checkpoint.optimizer)
        self.engine.restore(saved, self.ema)
        self.ema.updates = state["ema_updates"]
        self.objective.load_state_dict(state["objective"])
        restore_random(checkpoint, self.engine.rank)
        self.position.load_state_dict(checkpoint.step, state)
