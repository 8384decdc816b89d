"""How mixed images and videos are spread over ranks, so that none waits for another.

1. ``lengths``: how many tokens a sample has, before anything is rendered or encoded.
2. ``cost``: how long a rank works on them: by counted operations, or fitted to step times that
   ``measure`` took on the device (``packing.cost``).
3. ``microbatches``: which samples of an endless shuffled order share one global micro-batch.
4. ``schedule``: which group of ranks takes which samples, and how many ranks a group has.
5. ``batches``: the trainer's loader, which follows these plans; ``simulate``: the same plans
   without data.
"""

from __future__ import annotations

from omnireel.train.balance.batches import (
    PackedBatches,
    PackingConfig,
    SampleSource,
)
from omnireel.train.balance.cost import CostMeasurement, CostModel, fit_cost
from omnireel.train.balance.lengths import SampleLength, record_length
from omnireel.train.balance.microbatches import MicrobatchConfig
from omnireel.train.balance.schedule import Limits, MicrobatchPlan, WorkGroup, plan_microbatch

__all__ = [
    "CostMeasurement",
    "CostModel",
    "Limits",
    "MicrobatchConfig",
    "MicrobatchPlan",
    "PackedBatches",
    "PackingConfig",
    "SampleLength",
    "SampleSource",
    "WorkGroup",
    "fit_cost",
    "plan_microbatch",
    "record_length",
]
