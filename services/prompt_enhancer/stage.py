"""One enhancement, from a prompt with stored media to a better prompt. No gRPC here."""

from __future__ import annotations

import time
from dataclasses import dataclass

from omnireel.enhancer import Enhancement
from omnireel.mvl import Prompt
from omnireel.store import ObjectStore
from services.common.cancellation import Cancellation
from services.common.device_errors import memory_errors_fail_one_job
from services.common.device_gate import DeviceGate
from services.common.load_media import load_media, useful_short_side
from services.common.logs import get_logger
from services.common.sandbox import MediaSandbox
from services.prompt_enhancer.engine import PromptEnhancerEngine

log = get_logger(__name__)


@dataclass(frozen=True)
class Enhanced:
    """An enhancement and the seconds that it took."""

    enhancement: Enhancement
    elapsed_s: float


class EnhanceStage:
    """Runs enhancements, one at a time."""

    def __init__(self, store: ObjectStore, gate: DeviceGate, sandbox: MediaSandbox) -> None:
        self._store = store
        self._gate = gate
        self._sandbox = sandbox

    def run(
        self, engine: PromptEnhancerEngine, prompt: Prompt, cancellation: Cancellation
    ) -> Enhanced:
        """Enhance ``prompt``.

        Raises:
            InvalidInput: its media cannot be read.
            ResourceExhausted: too many wait, or memory is full.
            Unavailable: a remote back-end does not answer.
        """
        with self._gate.hold(cancellation) as cancelled, memory_errors_fail_one_job("prompt"):
            begun = time.monotonic()
            media = load_media(
                self._store, prompt, self._sandbox, shrink_short_side=useful_short_side(())
            )
            enhancement = engine.enhance(prompt, media, cancelled=cancelled)
            cancellation.raise_if_set()
            elapsed_s = time.monotonic() - begun
        log.info(
            "enhanced", seconds=round(elapsed_s, 3), fallback_reason=enhancement.fallback_reason
        )
        return Enhanced(enhancement, elapsed_s)
