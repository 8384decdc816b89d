"""Flow matching of an adapter, which is always compared with its base."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from omnireel.model.lora import lora_disabled
from omnireel.train.callbacks import ValidationReport
from omnireel.train.objectives.flow_matching import FlowMatching


class AdapterMatching(FlowMatching):
    """Trains the adapters of a network; validation tells the same loss without them."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what :class:`FlowMatching` takes; the network has adapters."""
        super().__init__(*arguments, **named)
        self._base_loss: float | None = None

    def validate(self) -> ValidationReport:
        """``loss`` with the adapters and ``loss_base`` without, on the same noise and times."""
        report = super().validate()
        if self._base_loss is None and "loss" in report.metrics:
            with lora_disabled(self.model):
                self._base_loss = self.held_out_losses()["loss"]
        if self._base_loss is None:
            return report
        return replace(report, metrics={**report.metrics, "loss_base": self._base_loss})
