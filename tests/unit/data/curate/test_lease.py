"""One machine at a time on an output, and none for ever."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest

from omnireel.data.curate.lease import Lease, LeaseConfig, leased
from omnireel.data.curate.state import WORK, open_state
from omnireel.errors import FailedPrecondition
from omnireel.store.local import LocalStore

CONFIG = LeaseConfig()
OTHER = {"host": "another-machine", "pid": 7}


def left_by(folder: Path, holder: dict[str, object], age_s: float = 0.0) -> Path:
    """A lease that somebody else holds, or left when it died."""
    LocalStore(folder).put(f"{CONFIG.prefix}theirs", json.dumps(holder).encode())
    path = folder / CONFIG.prefix / "theirs"
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def leases(folder: Path) -> list[str]:
    return [info.key for info in LocalStore(folder).list(CONFIG.prefix)]


def test_a_second_machine_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with leased(store, "out"):
        held = leases(tmp_path)
        with pytest.raises(FailedPrecondition, match="works on out; wait"), leased(store, "out"):
            pass
        assert leases(tmp_path) == held
    assert leases(tmp_path) == []


def test_a_lease_of_a_dead_machine_counts_for_nothing_after_a_while(tmp_path: Path) -> None:
    theirs = left_by(tmp_path, OTHER, CONFIG.expires_s / 2)
    with (
        pytest.raises(
            FailedPrecondition, match=r"process 7 of another-machine works on out.*in 60"
        ),
        leased(LocalStore(tmp_path), "out"),
    ):
        pass
    assert theirs.exists()
    left_by(tmp_path, OTHER, CONFIG.expires_s + 1)
    with leased(LocalStore(tmp_path), "out"):
        assert not theirs.exists()


def test_a_process_of_this_machine_that_died_is_not_waited_for(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    left_by(tmp_path, {"host": socket.gethostname(), "pid": child})
    with leased(LocalStore(tmp_path), "out"):
        pass


class Away(LocalStore):
    """Refuses to be written to, but for the first object."""

    def put(self, key: str, data: bytes | Path) -> str:
        if list(self.list(CONFIG.prefix)):
            raise FailedPrecondition("away")
        return super().put(key, data)


def test_who_cannot_renew_stops(tmp_path: Path) -> None:
    lease = Lease(Away(tmp_path), "out", LeaseConfig(expires_s=0.2, renew_s=0.01))
    lease.take()
    lease.check()
    time.sleep(0.3)
    with pytest.raises(FailedPrecondition, match="could not be reached for 0 s"):
        lease.check()
    lease.release()


def test_a_lease_is_renewed(tmp_path: Path) -> None:
    with leased(LocalStore(tmp_path), "out", LeaseConfig(expires_s=5, renew_s=0.01)):
        (key,) = leases(tmp_path)
        os.utime(tmp_path / key, (0, 0))
        while (tmp_path / key).stat().st_mtime < 1:
            time.sleep(0.01)


def test_a_folder_that_another_machine_works_in_is_refused(tmp_path: Path) -> None:
    plan = {"policy": "p"}
    with open_state(tmp_path, plan):
        pass
    LocalStore(tmp_path / WORK).put("lease/theirs", json.dumps(OTHER).encode())
    with (
        pytest.raises(FailedPrecondition, match="another-machine works on"),
        open_state(tmp_path, plan),
    ):
        pass
