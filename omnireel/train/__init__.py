"""One training loop; objectives, data and outside listeners are handed to it."""

from __future__ import annotations

from omnireel.train.callbacks import Callback, ProgressBar, StepEvent, ValidationReport
from omnireel.train.ema import EmaConfig
from omnireel.train.feed import FeedConfig, TrainData
from omnireel.train.objective import LossReport, Objective
from omnireel.train.optim import OptimizerConfig
from omnireel.train.position import TrainResult
from omnireel.train.schedule import ScheduleConfig
from omnireel.train.trainer import Trainer
from omnireel.train.trainer_config import TrainerConfig

__all__ = [
    "Callback",
    "EmaConfig",
    "FeedConfig",
    "LossReport",
    "Objective",
    "OptimizerConfig",
    "ProgressBar",
    "ScheduleConfig",
    "StepEvent",
    "TrainData",
    "TrainResult",
    "Trainer",
    "TrainerConfig",
    "ValidationReport",
]
