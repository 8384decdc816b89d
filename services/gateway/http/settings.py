"""Settings of the gateway's HTTP door: ``OMNIREEL_GATEWAY_HTTP_<FIELD>``."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.settings import check_address

KIB, MIB = 1 << 10, 1 << 20


class HttpSettings(BaseSettings):
    """Where HTTP is served and how much of a stranger's time and bytes it takes."""

    model_config = SettingsConfigDict(
        env_prefix="OMNIREEL_GATEWAY_HTTP_", extra="ignore", frozen=True
    )

    listen: str = Field(
        "127.0.0.1:7080", description="Address of the HTTP API, host:port; empty: no HTTP."
    )
    address_file: Path | None = Field(
        None, description="Where to write host:port once HTTP is served (useful with port 0)."
    )
    public_url: str = Field(
        "",
        description="Public address of the HTTP API, such as https://video.example.com; links "
        "begin with it. Empty: its own address.",
    )
    hosts: list[str] = Field(
        default_factory=list,
        description='Accepted host names of requests, such as ["video.example.com"]; loopback '
        "names are always accepted. Protects against web pages with a forged host name (DNS "
        "rebinding). Empty: any name if callers need a key, else loopback names only.",
    )
    cors_origins: list[str] = Field(
        default_factory=list,
        description='Web origins whose pages may call the API, such as ["https://app.example.com"].'
        " None by default.",
    )
    model_names: list[str] = Field(
        default_factory=lambda: ["omnireel"],
        min_length=1,
        description="Names of the served model in /v1; add those that clients have hard-coded.",
    )
    redirect_downloads: bool = Field(
        True, description="Send readers to the store's own signed links where it has them."
    )
    max_connections: int = Field(512, ge=1, description="Connections held at once.")
    max_watches: int = Field(128, ge=1, description="Streams of events served at once.")
    max_uploads: int = Field(16, ge=1, description="Uploads received at once.")
    max_json_bytes: int = Field(1 * MIB, ge=KIB, description="Size of a JSON body.")
    max_inline_bytes: int = Field(
        16 * MIB, ge=KIB, description="Size of a JSON body of /v1/videos with an image."
    )
    max_header_bytes: int = Field(32 * KIB, ge=KIB, description="Size of all headers together.")
    header_timeout_s: float = Field(
        10.0, gt=0, description="Seconds in which all headers of a request must arrive."
    )
    idle_timeout_s: float = Field(
        30.0, gt=0, description="Seconds without a byte until a slow client is cut off."
    )
    keep_alive_s: int = Field(15, ge=1, description="Seconds that an idle connection is kept.")
    heartbeat_s: float = Field(
        15.0, gt=0, description="Seconds between two signs of life in a quiet stream of events."
    )
    grace_s: int = Field(
        5, ge=0, description="Seconds that running requests get to finish after SIGTERM."
    )

    @field_validator("listen")
    @classmethod
    def _has_host_and_port(cls, value: str) -> str:
        return check_address(value) if value else value

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*[^/?#\s])?", value):
            raise ValueError("must be a URL without a final slash: https://video.example.com")
        return value
