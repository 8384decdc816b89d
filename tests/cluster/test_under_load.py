"""What happens in a cluster's life happens while clients make videos: no job is lost.

The order matters: each test finds the release as the one before has left it.
"""

from __future__ import annotations

import time

from tests.support.cluster_release import NAME, WAIT, Ledger, Release

PARTS = ("gateway", "worker", "prompt-enhancer", "generator", "super-resolver")
SERVERS = ("dev-redis", "dev-s3", "dev-postgresql")
AT_ONCE = ("--grace-period=0", "--force")
CHANGED = {
    "worker": {"settings": {"lease_s": 10}},
    "gateway": {"settings": {"watch_poll_s": 0.5}},
    **{part: {"graceSeconds": 15} for part in ("promptEnhancer", "generator", "superResolver")},
}  # fmt: skip
"""Settings of every part, so that every pod is replaced."""


def replace(release: Release, parts: tuple[str, ...], *words: str) -> None:
    """All pods of one part after the other."""
    for part in parts:
        release.replace_pods(part, *words)


def test_pods_of_every_kind_deleted(release: Release) -> None:
    release.under_load("all pods of each part deleted", lambda: replace(release, PARTS))


def test_pods_of_every_kind_killed(release: Release) -> None:
    release.under_load("all pods of each part killed", lambda: replace(release, PARTS, *AT_ONCE))


def test_servers_restarted(release: Release) -> None:
    release.under_load("broker, store and database restarted", lambda: replace(release, SERVERS))


def test_workers_scaled(release: Release) -> None:
    worker = f"deployment/{NAME}-worker"

    def scale() -> None:
        for replicas in (1, 3, 1):
            release.kube.kubectl("scale", worker, f"--replicas={replicas}")
            release.rolled_out(worker)
            time.sleep(5)  # jobs are under way when it goes down again

    release.under_load("workers scaled 1 -> 3 -> 1", scale)
    release.kube.kubectl("scale", worker, "--replicas=2")


def test_upgraded_and_rolled_back(release: Release) -> None:
    release.under_load("helm upgrade that replaces every pod", lambda: release.upgrade(CHANGED))
    release.under_load("helm rollback", release.roll_back)


def test_every_job_ended_once(release: Release) -> None:
    release.check_database()


def test_uninstall_leaves_what_the_page_says(release: Release, ledger: Ledger) -> None:
    began = time.monotonic()
    release.kube.helm("uninstall", NAME, *WAIT)
    ledger.note("chart uninstalled", began)
    pods = ("pod", "--all", "--for=delete", "--timeout=5m")  # they have a time of grace
    release.kube.kubectl("wait", *pods)
    kinds = ("all", "configmap", "secret", "serviceaccount", "persistentvolumeclaim",
             "networkpolicy", "poddisruptionbudget", "role", "rolebinding")  # fmt: skip
    assert release.kube.names(*kinds) == {
        "configmap/kube-root-ca.crt",
        "serviceaccount/default",
        *(f"persistentvolumeclaim/data-{NAME}-{server}-0" for server in SERVERS),
    }
