"""The services as they are installed in the test cluster, and crowds of clients outside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.soak.serving.audit import audit
from tests.soak.serving.clients import Crowd
from tests.support.charts import OMNIREEL, Object, merged
from tests.support.kube import Kube
from tests.support.stack import Api

NAME = "omnireel"
PATIENCE_S = 600.0
WAIT = ("--wait", "--timeout", "10m")


@dataclass
class Ledger:
    """What was measured, line by line."""

    lines: list[str] = field(default_factory=list)

    def say(self, what: str, found: str) -> None:
        self.lines.append(f"{what:<58}{found}")
        print(self.lines[-1], flush=True)

    def note(self, what: str, began: float) -> None:
        self.say(what, f"{time.monotonic() - began:.0f} s")

    def table(self) -> str:
        return "\n".join(self.lines)


class Release:
    """One release; its gateway is called by the Service's address, from outside of all pods."""

    def __init__(self, kube: Kube, values: Object, ledger: Ledger) -> None:
        self.kube, self.values = kube, values
        self._ledger = ledger
        self.known: set[str] = set()
        """Every job that a client knows of."""

    def install(self) -> None:
        self.kube.helm("install", NAME, str(OMNIREEL), *WAIT, values=self.values)
        self.key = self.make_key("tests")

    def upgrade(self, more: Object) -> None:
        values = merged(self.values, more)
        self.kube.helm("upgrade", NAME, str(OMNIREEL), *WAIT, values=values)

    def roll_back(self) -> None:
        self.kube.helm("rollback", NAME, "1", *WAIT)

    def make_key(self, name: str) -> str:
        """As docs/kubernetes.md says."""
        command = ["omnireel", "keys", "create", name, "--tenant", "local"]
        return self.kube.kubectl(
            "exec", f"deploy/{NAME}-gateway", "-c", "gateway", "--", *command
        ).strip()

    def address(self, service: str) -> str:
        """The cluster's own address of a Service, with its first port."""
        spec = self.kube.get("service", f"{NAME}-{service}")["spec"]
        return f"{spec['clusterIP']}:{spec['ports'][0]['port']}"

    def api(self) -> Api:
        return Api(self.address("gateway"), self.key)

    def under_load(self, what: str, fault: Callable[[], object], jobs: int = 50) -> Crowd:
        """Do something while clients make videos; each must end once, with its own frames."""
        crowd = Crowd(self.address("gateway"), self.key, jobs, 4, PATIENCE_S)
        began = time.monotonic()
        crowd.start()
        while crowd.busy and not crowd.done:
            time.sleep(0.1)
        fault()
        seconds, done = time.monotonic() - began, crowd.done
        crowd.join()
        lost = [job for job in crowd.jobs if job.lost]
        doubled = sum(job.doubled for job in crowd.jobs)
        self._ledger.say(
            what,
            f"{len(lost)} of {jobs} jobs lost, {doubled} doubled; {done} done when it was over "
            f"({seconds:.0f} s), all after {time.monotonic() - began:.0f} s",
        )
        self.known |= {name for job in crowd.jobs for name in job.names}
        assert [job.problem for job in lost] == []
        assert doubled == 0
        return crowd

    def check_database(self) -> None:
        """No job that nobody asked for; none that ended twice."""
        password = self.values["dev"]["password"]
        where = self.address("dev-postgresql")
        found = audit(f"postgresql+psycopg://omnireel:{password}@{where}/omnireel", self.known)
        assert (found.strays, found.ended_twice) == (0, 0)

    def replace_pods(self, component: str, *words: str) -> None:
        """Delete the pods of a part, and wait for the next ones."""
        self.kube.kubectl("delete", "pod", "-l", f"app.kubernetes.io/component={component}", *words)
        kind = "statefulset" if component.startswith("dev-") else "deployment"
        self.rolled_out(f"{kind}/{NAME}-{component}")

    def rolled_out(self, workload: str) -> None:
        self.kube.kubectl("rollout", "status", workload, "--timeout=5m")
