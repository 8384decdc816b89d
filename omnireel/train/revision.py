"""Which source code a run was made with."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git_revision() -> str:
    """Short revision of the source tree, with "+changes" when it differs; empty outside git."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty=+changes"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
