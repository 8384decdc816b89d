"""A workflow by its command line, on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_locally(
    name: str, root: Path, settings: list[str], arguments: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """``omnireel pipelines run NAME --local``."""
    command = [sys.executable, "-m", "omnireel.cli.main", "pipelines", "run", name, "--local"]
    command += ["--out", str(root)]
    command += [part for text in settings for part in ("--set", text)]
    command += [part for key, value in arguments.items() for part in ("-a", f"{key}={value}")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def artefact(root: Path, name: str, step: str, output: str) -> Path:
    """What the only step of that name has left."""
    (found,) = (root / name / "steps").glob(f"*/{step}/{output}")
    return found
