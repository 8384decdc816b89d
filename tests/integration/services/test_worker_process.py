"""The worker as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_a_broker_that_cannot_be_spoken_to_ends_it(tmp_path: Path) -> None:
    """Or it would look alive and take no job for ever."""
    database = f"sqlite:///{tmp_path / 'jobs.db'}"
    command = [sys.executable, "-m", "services.common.jobs.migrate", database]
    subprocess.run(command, check=True, capture_output=True)
    settings = {
        "DATABASE_URL": database,
        "STORE_URL": f"file://{tmp_path / 'store'}",
        "BROKER_URL": "pyro://nobody",  # known to Celery, without the library that it needs
        "SAFETY": "off",
        "LISTEN": "127.0.0.1:0",
        **dict.fromkeys(("PROMPT_ENHANCER", "GENERATOR", "SUPER_RESOLVER"), "127.0.0.1:1"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "services.worker.main"],
        env={**os.environ, **{f"OMNIREEL_WORKER_{name}": each for name, each in settings.items()}},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "the doorbell is broken" in done.stderr + done.stdout
