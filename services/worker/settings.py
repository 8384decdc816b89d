"""Settings of the worker: ``OMNIREEL_WORKER_<FIELD>``."""

from __future__ import annotations

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from services.common.settings import CallerSettings, SecretUrl


class WorkerSettings(CallerSettings):
    """``listen`` serves nothing but health."""

    model_config = SettingsConfigDict(env_prefix="OMNIREEL_WORKER_", extra="ignore", frozen=True)

    database_url: SecretUrl = Field(description="SQLAlchemy URL of the job database.")
    store_url: SecretUrl = Field(
        description="Object store: file:///folder or s3://bucket/prefix?..."
    )
    broker_url: SecretUrl = Field(
        description="Doorbell between dispatcher and slots: files:///folder on one machine, or any "
        "Celery broker URL (redis://, amqp://)."
    )
    prompt_enhancer: str = Field(description="host:port of the prompt enhancer.")
    generator: str = Field(description="host:port of the generator.")
    super_resolver: str = Field(description="host:port of the super-resolver.")
    safety: str = Field(
        description="Classifier that requests and results must pass: package.module:attribute, "
        "transformers:/folder?refuse=label or https://..., or off. There is no default."
    )
    safety_timeout_s: float = Field(
        30.0, gt=0, description="Seconds after which a classifier without a verdict counts as a no."
    )
    c2pa_chain: str = Field(
        "", description="PEM certificate chain to sign results with, as file:/path or env:NAME."
    )
    c2pa_key: str = Field("", description="Its PEM private key, as file:/path or env:NAME.")
    c2pa_algorithm: str = Field("es256", description="The algorithm of that key.")
    c2pa_time_authority: str = Field("", description="URL of an RFC 3161 time-stamp authority.")
    slots: int = Field(1, ge=1, le=256, description="Jobs that run at once in this worker.")
    handover_s: float = Field(
        10.0,
        ge=0,
        description="Seconds beyond `grace_s` for jobs that have not finished: each stops after "
        "its present denoising step, stores its state and is handed back.",
    )
    lease_s: float = Field(
        15.0, gt=0, description="Seconds without a heartbeat after which a job is taken away."
    )
    heartbeat_s: float = Field(
        1.0,
        gt=0,
        description="Seconds between two heartbeats; a cancel is seen at the latest then.",
    )
    dispatch_s: float = Field(
        0.2,
        gt=0,
        description="Longest time between two polls of the queue; a new job is seen at once.",
    )
    sweep_s: float = Field(2.0, gt=0, description="Seconds between two sweeps for lost jobs.")
    republish_s: float = Field(
        10.0, gt=0, description="Seconds after which an unanswered message is sent again."
    )
    worker_ttl_s: float = Field(
        10.0, gt=0, description="Seconds after which the slots of a silent worker do not count."
    )
    backoff_s: float = Field(
        1.0, gt=0, description="Delay before the second attempt; doubles with each further one."
    )
    max_backoff_s: float = Field(60.0, gt=0, description="Longest delay between two attempts.")
    progress_interval_s: float = Field(
        0.1, ge=0, description="Steps that follow each other faster are written together."
    )

    @model_validator(mode="after")
    def _key_has_a_chain(self) -> WorkerSettings:
        if bool(self.c2pa_chain) != bool(self.c2pa_key):
            raise ValueError("c2pa_chain and c2pa_key belong together; set both, or neither")
        return self

    @model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> WorkerSettings:
        if self.lease_s < 3 * self.heartbeat_s:
            raise ValueError(
                f"lease_s is {self.lease_s:g} and heartbeat_s {self.heartbeat_s:g}; a lease must "
                "outlive two missed heartbeats, so make it at least 3 times heartbeat_s"
            )
        return self
