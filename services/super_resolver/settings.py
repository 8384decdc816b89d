"""Settings of the super-resolver: environment variables ``OMNIREEL_SUPER_RESOLVER_*``."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.common.model_settings import ModelServiceSettings


class SuperResolverSettings(ModelServiceSettings):
    """For example ``OMNIREEL_SUPER_RESOLVER_DEVICE=cuda``."""

    model_config = SettingsConfigDict(
        env_prefix="OMNIREEL_SUPER_RESOLVER_", extra="ignore", frozen=True
    )

    listen: str = Field("127.0.0.1:50063", description="Address to serve gRPC on, host:port.")
    device: str = Field("cpu", description="cpu, cuda, cuda:1, ...")
