"""What docs/serving/http.md tells people to type works as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from omnireel.media import read_clip, write_png
from services.common.jobs import JobFilter, JobState
from services.gateway.http.settings import HttpSettings
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.settings import WebhookSettings
from tests.support.served import Served, served

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "serving" / "http.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:7080"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def s(tmp_path: Path) -> Iterator[Served]:
    key = tmp_path / "signing_key"
    with served(tmp_path, HttpSettings(listen="127.0.0.1:0"), signing_key_file=key) as running:
        home = tmp_path / ".omnireel"
        home.mkdir()
        shutil.copy(tmp_path / "api_key", home / "api_key")
        (tmp_path / "hero.png").write_bytes(write_png(np.full((64, 64, 3), 90, np.uint8)))
        stop = threading.Event()
        worker = threading.Thread(target=work_until, args=(running, stop))
        worker.start()
        yield running
        stop.set()
        worker.join()


def work_until(running: Served, stop: threading.Event) -> None:
    queued = JobFilter(states=(JobState.QUEUED,))
    while not stop.wait(0.02):
        for job in running.jobs.list_jobs("local", page_size=10, job_filter=queued).jobs:
            running.work(job.id)


def run(command: list[str], script: str, s: Served, folder: Path) -> str:
    assert ADDRESS in script
    environment = {**os.environ, "HOME": str(folder), "OMNIREEL_API_KEY": s.key}
    result = subprocess.run(
        command,
        input=script.replace(ADDRESS, s.url),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_every_command_works(s: Served, tmp_path: Path) -> None:
    script = "\n".join(["set -euo pipefail", *blocks("bash")])
    said = run(["bash"], script, s, tmp_path)
    assert "event: final" in said and '"secret":"whsec_' in said
    assert read_clip((tmp_path / "ball.mp4").read_bytes()).format.num_frames > 1


def test_the_python_example_works(s: Served, tmp_path: Path) -> None:
    (example,) = blocks("python")
    run([sys.executable, "-W", "ignore", "-"], example, s, tmp_path)
    assert read_clip((tmp_path / "ball.mp4").read_bytes()).format.num_frames > 1
    assert len(s.jobs.list_jobs("local", page_size=10).jobs) == 2


def test_the_settings_exist_and_links_lead_somewhere() -> None:
    kinds = (("", GatewaySettings), ("HTTP_", HttpSettings), ("WEBHOOK_", WebhookSettings))
    known = {f"{prefix}{name}".upper() for prefix, kind in kinds for name in kind.model_fields}
    table = PAGE.partition("## Settings")[2]
    named = {
        name
        for line in table.splitlines()
        for name in re.findall(r"`([A-Z_]+)`", line.partition(" | ")[0])
    }
    assert len(named) > 10 and named <= known
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / "serving" / target).exists(), target
