"""Workers that build a cache do not outlive the process that asked for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = """
import functools, sys
from pathlib import Path
from omnireel.processes import build_missing
from tests.support.slow_shard import write_pid_and_wait
folder = Path(sys.argv[1])
if __name__ == "__main__":
    build_missing(write_pid_and_wait, [folder / "0"], workers=1)
"""


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    program = tmp_path / "build.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    parent = subprocess.Popen([sys.executable, str(program), str(tmp_path)], env=environment)
    pid_file = tmp_path / "0.pid"
    try:
        while not pid_file.exists():
            assert parent.poll() is None, "the builder ended before its worker began"
            time.sleep(0.05)
        worker = int(pid_file.read_text())
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    while Path(f"/proc/{worker}").exists():  # the suite's time limit ends a worker that stays
        time.sleep(0.05)
