"""Settings of the generator: environment variables ``OMNIREEL_GENERATOR_*``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.common.model_settings import ModelServiceSettings


class GeneratorSettings(ModelServiceSettings):
    """For example ``OMNIREEL_GENERATOR_DEVICE=cuda``."""

    model_config = SettingsConfigDict(env_prefix="OMNIREEL_GENERATOR_", extra="ignore", frozen=True)

    listen: str = Field("127.0.0.1:50062", description="Address to serve gRPC on, host:port.")
    device: str = Field("cpu", description="cpu, cuda, cuda:1, ...")
    batch_tokens: int = Field(
        256,
        ge=0,
        description="Denoising steps of several jobs of one format run as one call of at most so "
        "many latent tokens (guidance counted), where that fits two; 0: one job at a time.",
    )
    adapter: Path | None = Field(
        None,
        description="Component folder of an adapter ('omnireel train lora'), folded into the "
        "generator when it is loaded.",
    )
