"""A shard that is never finished, for tests of what happens to the process that makes it."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def write_pid_and_wait(path: Path, index: int) -> None:
    """Say which process this is, then stay busy for ever."""
    del index
    partial = path.with_suffix(".writing")
    partial.write_text(str(os.getpid()))
    partial.rename(path.with_suffix(".pid"))
    threading.Event().wait()
