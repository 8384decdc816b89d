"""Settings that the three model services share."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

import omnireel
from services.common.settings import SecretUrl, ServiceSettings

SHIPPED_TINY = Path(omnireel.__file__).resolve().parent / "weights" / "tiny"


class ModelServiceSettings(ServiceSettings):
    """A service that runs one model on one device."""

    store_url: SecretUrl = Field(
        description="Object store, file:///folder or s3://bucket/prefix?endpoint=...; the same "
        "for all services of one installation."
    )
    weights: Path = Field(
        SHIPPED_TINY,
        description="Folder with the component folders (vae, generator, upscaler, enhancer).",
    )
    threads: int = Field(0, ge=0, description="CPU threads of the model; 0 leaves it to torch.")
    max_waiting: int = Field(
        2, ge=0, description="Jobs that may wait for the device; one more is refused."
    )
    max_wait_s: float = Field(
        60.0, ge=0, description="Longest wait for the device before a job is refused."
    )
    checkpoint_every_steps: int = Field(
        10,
        ge=0,
        description="Denoising steps after which a job's state is stored, so that a lost process "
        "costs at most these; 0: only when the work is handed over.",
    )
    handover_s: float = Field(
        10.0,
        ge=0,
        description="Seconds beyond `grace_s` for work that has not finished: it stops after its "
        "present step and stores its state.",
    )

    max_silence_s: float = Field(
        600.0,
        gt=0,
        description="Longest time in seconds without a sign of life outside of denoising steps, "
        "as in loading media or decoding; after it the process counts as hung and liveness says "
        "NOT_SERVING. Steps have a bound of their own: 30 s, or ten times the job's longest step, "
        "and never more than this.",
    )

    @property
    def max_calls(self) -> int:
        """Calls served at once: those on the device, those in line, and room for questions."""
        return 8 + self.max_waiting + 8
