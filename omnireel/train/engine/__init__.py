"""How gradients become new weights: in one process, or shared by several ranks.

``base`` says what the trainer asks of an engine, ``single`` is one process, ``ranks`` is many
(DeepSpeed ZeRO and Ulysses, imported only there), ``partitioned`` its optimiser.
"""

from __future__ import annotations

from omnireel.train.engine.base import Engine, Snapshot, open_engine

__all__ = ["Engine", "Snapshot", "open_engine"]
