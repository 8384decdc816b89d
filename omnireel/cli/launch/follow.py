"""Submit a job, show what it does until it ends, and take it away when we are told to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from omnireel.cli.launch.cluster import Cluster
from omnireel.cli.launch.manifest import (
    WORDS_HASH,
    JobConfig,
    Owner,
    job_name,
    train_job,
    words_hash,
)
from omnireel.errors import AlreadyExists, Cancelled, FailedPrecondition, NotFound, Unavailable

Say = Callable[[str], None]
QUEUED, STARTING, RUNNING, COMPLETE, FAILED = "queued", "starting", "running", "complete", "failed"


@dataclass(frozen=True)
class FollowConfig:
    """How often the cluster is asked, and how long it may be silent."""

    poll_s: float = 3.0
    silence_s: float = 300.0


def submit(
    cluster: Cluster,
    recipe: str,
    folder: str,
    words: Sequence[str],
    config: JobConfig,
    owner: Owner | None,
    poll: FollowConfig | None = None,
) -> str:
    """Make the job of a run folder, and return its name.

    A job of the same words that is at work already is taken over; one that has ended makes room.
    Pods of an earlier job are waited for: no two jobs train in one folder.

    Raises:
        AlreadyExists: another command trains in this folder now.

    """
    poll = poll or FollowConfig()
    name = job_name(recipe, folder)
    manifest = train_job(name, words, config, owner)
    if (present := _at_work(cluster, name)) is not None:
        if present["metadata"].get("annotations", {}).get(WORDS_HASH) == words_hash(words):
            return name
        raise AlreadyExists(
            f"job {name} is already training in {folder} with other settings; cancel it with "
            f"'omnireel train jobs cancel {name}', or choose another --out"
        )
    cluster.delete(name)
    deadline = time.monotonic() + poll.silence_s
    while time.monotonic() < deadline:
        if not cluster.has_pods(name):
            with suppress(AlreadyExists):
                cluster.create(manifest)
                return name
        time.sleep(poll.poll_s)
    raise FailedPrecondition(f"the finished job {name} was not deleted; check its pods")


def _at_work(cluster: Cluster, name: str) -> dict[str, Any] | None:
    """The job of that name, unless it has ended or is about to go."""
    try:
        found = cluster.get(name)
    except NotFound:
        return None
    ended = "deletionTimestamp" in found["metadata"] or state_of(found)[0] in (COMPLETE, FAILED)
    return None if ended else found


def follow(cluster: Cluster, name: str, say: Say, config: FollowConfig | None = None) -> None:
    """Show state and the first rank's log until the job has ended.

    On SIGTERM or Ctrl-C the job is deleted; its run folder keeps the last checkpoint.

    Raises:
        FailedPrecondition: it failed, or was deleted by someone else.
        Cancelled: we were told to stop.
        Unavailable: the cluster has been silent for too long.

    """
    config = config or FollowConfig()
    shown = _Shown(cluster, name, say)
    heard = time.monotonic()
    with _told_to_stop() as stop:
        while True:
            try:
                job = cluster.get(name)
                state, why = state_of(job)
                shown.update(job, state, why)
                heard = time.monotonic()
            except NotFound:
                raise FailedPrecondition(f"job {name} was deleted by someone else") from None
            except Unavailable:
                if time.monotonic() - heard > config.silence_s:
                    raise
                state, why = "", ""
            if state == COMPLETE:
                return
            if state == FAILED:
                raise FailedPrecondition(
                    f"job {name} failed: {why or 'see its log'}; run the same command again "
                    "to resume from its last checkpoint"
                )
            if stop.wait(config.poll_s):
                cluster.delete(name)
                raise Cancelled(
                    f"job {name} was deleted; run the same command again to resume from its last "
                    "checkpoint"
                )


def state_of(job: dict[str, Any]) -> tuple[str, str]:
    """State and reason, read from conditions (the printed State column lags behind)."""
    status = job.get("status", {})
    conditions = {c["type"]: c for c in status.get("conditions", ())}

    def holds(kind: str) -> bool:
        return str(conditions.get(kind, {}).get("status")) == "True"

    for kind, state in (("Failed", FAILED), ("Complete", COMPLETE)):
        if holds(kind):
            return state, str(conditions[kind].get("message") or conditions[kind].get("reason", ""))
    if holds("Suspended"):
        return QUEUED, str(conditions["Suspended"].get("message", ""))
    at_work = any(int(part.get("active", 0)) for part in status.get("jobsStatus", ()))
    return (RUNNING if at_work else STARTING), ""


@dataclass
class _Shown:
    """What was told already."""

    cluster: Cluster
    name: str
    say: Say
    state: str = ""
    pod: str = ""
    last: str = ""
    """Time of the last line of the log that was shown."""
    asked: float = field(default_factory=time.monotonic)

    def update(self, job: dict[str, Any], state: str, why: str) -> None:
        """Tell what is new."""
        if state != self.state:
            self.say(f"{self.name}: {state}{f' ({why})' if why else ''}")
            self.state = state
        if state not in (QUEUED, STARTING):
            self._log()

    def _log(self) -> None:
        pod = self.cluster.first_pod(self.name)
        if not pod:
            return
        since = None if pod != self.pod else int(time.monotonic() - self.asked) + 2
        self.last = self.last if pod == self.pod else ""
        self.pod, self.asked = pod, time.monotonic()
        for line in self.cluster.log(pod, since_s=since):
            at, _, text = line.partition(" ")
            if at > self.last:
                self.say(text)
                self.last = at


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Set by SIGTERM and SIGINT (only possible in the main thread)."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {n: signal.signal(n, lambda *_: stop.set()) for n in numbers}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
