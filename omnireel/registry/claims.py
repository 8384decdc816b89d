"""Turns at moving an alias, over a store that has no locks.

MLflow sets an alias unconditionally; it has no compare-and-set. So whoever wants to move one first
writes a claim (a tag on the registered model), then reads all claims, and goes on only if its own
is the only one. Of two at once at least one sees the other, because each writes before it reads
(Dekker's argument). Where both do, the one with the smaller key keeps its claim and waits, the
other withdraws and tries again.

What that can and cannot promise: it is safe while the tracking store gives reads that see every
earlier write (one SQL database does; read replicas do not). A process that is killed leaves its
claim, which counts for ``lifetime_s`` by the clocks of the machines, so these should agree; one
that sleeps longer than that inside its turn, and people who move aliases by other means, are not
held back. For them the alias is read again before and after it is set.
"""

from __future__ import annotations

import json
import os
import random
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from omnireel.errors import FailedPrecondition
from omnireel.registry.tracking import mlflow_errors
from omnireel.registry.versions import TAG, Registry


@dataclass(frozen=True)
class ClaimConfig:
    """``lifetime_s``: after that an abandoned claim no longer counts."""

    lifetime_s: float = 120.0
    attempts: int = 40
    longest_wait_s: float = 0.5
    """Between two attempts; the mean is half of it."""


@contextmanager
def claim(
    registry: Registry, name: str, alias: str, version: int, config: ClaimConfig | None = None
) -> Iterator[None]:
    """Hold the only valid claim on ``name@alias`` while the block runs.

    Raises:
        FailedPrecondition: others hold one, also after all attempts; the message names them.

    """
    config = config or ClaimConfig()
    prefix = f"{TAG}claim.{alias}."
    key = prefix + uuid.uuid4().hex  # random: nobody always gives way
    owner = f"{socket.gethostname()}:{os.getpid()}"
    client = registry.client
    others: dict[str, str] = {}
    claimed = False
    try:
        for _ in range(config.attempts):
            if not claimed:
                content = {"version": version, "owner": owner, "at": time.time()}
                with mlflow_errors(registry.tracking_uri):
                    client.set_registered_model_tag(name, key, json.dumps(content))
                claimed = True
            others = _others(registry, name, prefix, key, config)
            if not others:
                yield
                return
            if min(others) < key:
                _withdraw(registry, name, key)
                claimed = False
            time.sleep(random.uniform(0.0, config.longest_wait_s))
    finally:
        if claimed:
            _withdraw(registry, name, key)
    raise FailedPrecondition(
        f"{name}@{alias} is being moved by {', '.join(others.values())}; check it, then retry"
    )


def _withdraw(registry: Registry, name: str, key: str) -> None:
    with mlflow_errors(registry.tracking_uri):
        registry.client.delete_registered_model_tag(name, key)


def _others(
    registry: Registry, name: str, prefix: str, own: str, config: ClaimConfig
) -> dict[str, str]:
    """Valid claims of others, in words, by key; expired ones are cleared away."""
    found = {}
    for key, value in registry.model_tags(name).items():
        if not key.startswith(prefix) or key == own:
            continue
        content = json.loads(value)
        if time.time() - content["at"] < config.lifetime_s:
            goal = f"to version {content['version']}" if content["version"] else "back"
            found[key] = f"{content['owner']} ({goal})"
        else:
            _withdraw(registry, name, key)
    return found
