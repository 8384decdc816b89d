"""Settings of the gateway: ``OMNIREEL_GATEWAY_<FIELD>``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, IPvAnyNetwork
from pydantic_settings import SettingsConfigDict

from omnireel.media import DecodeLimits
from services.common.http_target import HttpPolicy
from services.common.settings import CallerSettings, SecretUrl
from services.gateway.identity.oidc_settings import OidcSettings

MIB = 1 << 20


class GatewaySettings(OidcSettings, CallerSettings):
    """Where the gateway listens, what it stands on, and how much it takes."""

    model_config = SettingsConfigDict(env_prefix="OMNIREEL_GATEWAY_", extra="ignore", frozen=True)

    listen: str = Field("127.0.0.1:7070", description="Address of the public API, host:port.")
    grace_s: float = Field(
        5.0, ge=0, description="Seconds that running calls get to finish after SIGTERM."
    )
    database_url: SecretUrl = Field(description="SQLAlchemy URL of the job database.")
    store_url: SecretUrl = Field(
        description="Object store: file:///folder or s3://bucket/prefix?..."
    )
    auth: Literal["on", "off"] = Field(
        "on",
        description="Whether callers need an API key. off: everybody who reaches the port is the "
        "owner, so it is allowed on loopback only.",
    )
    tls: Literal["on", "off"] = Field(
        "on",
        description="off: say that plain text is meant although `listen` is not loopback, because "
        "a proxy or a mesh in front encrypts.",
    )
    key_file: Path | None = Field(
        None,
        description="Where to write an admin key when the file is missing. Unset: see `first_key`.",
    )
    first_key: Literal["print", "none"] = Field(
        "print",
        description="Without `key_file`, on a database without keys. print: an admin key is shown "
        "once, on standard error. none: there is no key until `omnireel keys create` makes one, "
        "for standard error that is kept as a log.",
    )
    signing_key_file: Path | None = Field(
        None,
        description="File of the secret that links and webhooks are signed with, the same for all "
        "replicas; made when it is missing. Unset: only a store such as S3 makes links.",
    )
    prompt_enhancer: str = Field(description="host:port of the prompt enhancer.")
    generator: str = Field(description="host:port of the generator.")
    super_resolver: str = Field(description="host:port of the super-resolver.")
    audit_days: float = Field(400.0, gt=0, description="Days that a line of the audit log is kept.")
    max_calls: int = Field(
        64,
        ge=4,
        description="Calls served at once, watchers not counted; and as many uploads and downloads "
        "over gRPC, half of them one tenant's.",
    )
    max_watchers: int = Field(1024, ge=1, description="Watchers served at once, one thread each.")
    max_queued_jobs: int = Field(100, ge=1, description="Jobs that may wait for a worker.")
    max_attempts: int = Field(3, ge=1, description="How often a job is tried.")
    min_priority: int = Field(-10, description="Lowest priority that a request may ask for.")
    max_priority: int = Field(10, description="Highest priority that a request may ask for.")
    max_upload_bytes: int = Field(256 * MIB, ge=1, description="Size of one upload.")
    fetch_urls: Literal["on", "off"] = Field(
        "off", description="Whether requests may refer to media by web address."
    )
    fetch_schemes: frozenset[Literal["http", "https"]] = Field(
        frozenset({"https"}), description="Schemes that are fetched from."
    )
    fetch_ports: frozenset[int] = Field(
        frozenset({443}), description="Ports that are fetched from."
    )
    fetch_networks: tuple[IPvAnyNetwork, ...] = Field(
        (), description='Private networks that may be fetched from, such as ["10.1.0.0/16"].'
    )
    fetch_timeout_s: float = Field(30.0, gt=0, description="Seconds that a fetch may take.")
    max_media_pixels: int = Field(4096 * 2304, ge=1, description="Pixels of one frame.")
    max_media_frames: int = Field(900, ge=1, description="Frames of one video.")
    max_media_seconds: float = Field(60.0, gt=0, description="Length of one video.")
    max_decodes: int = Field(2, ge=1, description="Uploads that are decoded at once.")
    max_decode_s: float = Field(60.0, gt=0, description="Seconds that decoding an upload may take.")
    watch_poll_s: float = Field(
        0.1, gt=0, description="Longest time between two polls for events; seconds."
    )
    delete_wait_s: float = Field(
        30.0, ge=0, description="How long DeleteVideo waits for a running job to stop."
    )
    signed_url_s: int = Field(3600, ge=1, description="How long a signed link to a video lives.")

    def open_to_strangers(self) -> str:
        """Why this service must stay on loopback, and the remedy; empty: it need not."""
        if self.auth == "off":
            return "and auth is off; use 127.0.0.1, or turn auth on"
        if self.tls_cert is None and self.tls != "off":
            return (
                "in plain text; set tls_cert and tls_key, or say tls=off where a proxy or a mesh "
                "in front encrypts"
            )
        return ""

    @property
    def fetch_policy(self) -> HttpPolicy:
        """Where media are fetched from, when they are."""
        return HttpPolicy(
            schemes=frozenset(self.fetch_schemes),
            ports=self.fetch_ports,
            allow_networks=self.fetch_networks,
            max_bytes=self.max_upload_bytes,
            timeout_s=self.fetch_timeout_s,
        )

    @property
    def decode_limits(self) -> DecodeLimits:
        """How much of an upload may be decoded."""
        return DecodeLimits(
            max_bytes=self.max_upload_bytes,
            max_pixels=self.max_media_pixels,
            max_frames=self.max_media_frames,
            max_seconds=self.max_media_seconds,
        )
