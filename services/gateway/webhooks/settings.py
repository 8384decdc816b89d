"""Settings of webhooks: ``OMNIREEL_GATEWAY_WEBHOOK_<FIELD>``."""

from __future__ import annotations

import ipaddress

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.http_target import HttpPolicy

MAX_ANSWER_BYTES = 64 << 10


class WebhookSettings(BaseSettings):
    """Where messages may go, and how often they are tried."""

    model_config = SettingsConfigDict(
        env_prefix="OMNIREEL_GATEWAY_WEBHOOK_", extra="ignore", frozen=True
    )

    enabled: bool = Field(True, description="Whether requests may name a webhook.")
    allow_http: bool = Field(False, description="Allow http:// besides https://.")
    ports: list[int] = Field([443], description="Ports that may be called.")
    allow_networks: list[str] = Field(
        default_factory=list,
        description='Private networks that may be called, such as ["10.1.0.0/16"].',
    )
    timeout_s: float = Field(10.0, gt=0, description="Seconds that one attempt may take.")
    max_attempts: int = Field(
        15, ge=1, description="How often a message is tried; 15 times take five hours."
    )
    first_delay_s: float = Field(
        5.0, gt=0, description="Wait after the first failure; it doubles each time."
    )
    max_delay_s: float = Field(3600.0, gt=0, description="Longest wait between two attempts.")
    poll_s: float = Field(0.5, gt=0, description="Seconds between two polls for messages.")

    @field_validator("allow_networks")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        for text in value:
            ipaddress.ip_network(text)
        return value

    @property
    def policy(self) -> HttpPolicy:
        """What an address must be like."""
        return HttpPolicy(
            schemes=frozenset({"https", "http"} if self.allow_http else {"https"}),
            ports=frozenset(self.ports),
            allow_networks=tuple(ipaddress.ip_network(text) for text in self.allow_networks),
            max_redirects=0,
            max_bytes=MAX_ANSWER_BYTES,
            timeout_s=self.timeout_s,
        )

    def delay_s(self, attempt: int) -> float:
        """Wait after the ``attempt``-th failure."""
        return float(min(self.first_delay_s * 2 ** (attempt - 1), self.max_delay_s))
