"""Versions in an MLflow server that keeps the files itself, as in charts/omnireel-training."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnireel.registry.publishing import fetch, register
from tests.support.registry import fresh_registry, small_component

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Its address; clients have no access to where it keeps files."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = fresh_registry(tmp_path / "database")
    command = [
        sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}",
        "--workers=1", f"--backend-store-uri={database}", "--serve-artifacts",
        f"--artifacts-destination={tmp_path / 'kept'}",
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        while not answers(address):
            assert process.poll() is None, (tmp_path / "server.log").read_text()
            time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def test_a_component_becomes_a_version_and_comes_back(server: str, tmp_path: Path) -> None:
    made = small_component(tmp_path / "component")
    version = register(made, name="omnireel-tiny-generator", tracking_uri=server)
    assert version.ref == "omnireel-tiny-generator/1"
    assert version.source.startswith("mlflow-artifacts:")
    assert fetch(version.ref, tmp_path / "back", tracking_uri=server) == version
    assert (tmp_path / "back/model.safetensors").read_bytes() == (
        made / "model.safetensors"
    ).read_bytes()
    assert register(made, name="omnireel-tiny-generator", tracking_uri=server) == version
