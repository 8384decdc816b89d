"""Requests to the HTTP door, made by schemathesis from its own OpenAPI description."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.fuzz.tally import HANG_S, Tally
from tests.support.served import Served, served

WATCH_S = 1.0
"""For streams that end when a job does, and here none does."""


class _Refused(Exception):
    """The answer blames the caller."""


def fuzz_http(count: int, number: int) -> Tally:
    """Valid and invalid requests to every operation; none makes an internal error."""
    tally = Tally("http")
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as gateway:
        gateway.create()
        schema = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
        operations = [result.ok() for result in schema.get_all_operations()]
        for operation in operations:
            for mode in GenerationMode:
                _fuzz(tally, gateway, operation, mode, count // (2 * len(operations)) or 1, number)
    return tally


def _fuzz(
    tally: Tally, gateway: Served, operation: Any, mode: GenerationMode, count: int, number: int
) -> None:
    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        described = f"{operation.label} {mode.value} {case.as_curl_command()[:600]}"
        with tally.one(described, (_Refused,)):
            _call(tally, gateway, case)

    try:
        one()
    except Unsatisfiable:
        return  # an operation that takes nothing cannot be asked wrongly


def _call(tally: Tally, gateway: Served, case: Any) -> None:
    stream = case.path.endswith("/events")
    headers = {"Authorization": f"Bearer {gateway.key}"}
    try:
        answer = case.call(
            base_url=gateway.url,
            headers=headers,
            timeout=WATCH_S if stream else HANG_S,
            allow_redirects=False,
        )
    except requests.Timeout:
        if not stream:
            tally.hangs += 1
        return
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader):
        return  # nothing that a client could send
    status = answer.status_code
    tally.by_outcome[str(status)] += 1
    if status >= 500 and status != 503:
        raise AssertionError(f"HTTP {status}: {answer.text[:300]}")
    if status >= 400:
        raise _Refused
