"""What a cluster changes on its machine, and the way back."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from infra.cluster.config import ClusterConfig

CGROUPS = Path("/sys/fs/cgroup")
PODS = "kubepods"
SYSCTLS = (
    "net/ipv4/ip_forward", "vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic",
    "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
)  # fmt: skip
FOLDERS = tuple(
    map(Path, ("/run/containerd", "/var/lib/cni", "/var/log/containers", "/var/lib/kubelet"))
)
"""Where programs write whatever they are told; removed afterwards where they were not before."""
PATIENCE_S = 15


def remember(config: ClusterConfig) -> None:
    """Note how the machine is, before anything is changed."""
    before = {
        "sysctls": {name: (Path("/proc/sys") / name).read_text().strip() for name in SYSCTLS},
        "folders": [str(folder) for folder in FOLDERS if folder.exists()],
    }
    (config.home / "before.json").write_text(json.dumps(before), encoding="utf-8")


def end_pods(config: ClusterConfig) -> None:
    """End every process of every pod, and what held them."""
    deadline = time.monotonic() + PATIENCE_S
    while (processes := [*_pod_processes(), *_shims(config)]) and time.monotonic() < deadline:
        for pid in processes:
            _kill(pid)
        time.sleep(0.1)


def restore(config: ClusterConfig) -> None:
    """Take away mounts, links, rules, cgroups and files, and set the kernel as it was.

    Raises:
        RuntimeError: a mount below ``config.home`` stays, so its files are not removed.
    """
    for mount in _mounts(config.home):
        subprocess.run(["umount", "--lazy", mount], check=False)
    for link in (config.pods_link, config.node_link):
        subprocess.run(["ip", "link", "delete", link], stderr=subprocess.DEVNULL, check=False)
    for family in ("ip", "ip6"):
        subprocess.run(
            ["nft", "delete", "table", family, "kube-proxy"],
            stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    for folder in _pod_cgroups():
        _remove_tree_of_cgroups(folder)
    if left := _mounts(config.home):
        raise RuntimeError(f"still mounted: {', '.join(left)}; nothing of {config.home} is removed")
    before = json.loads((config.home / "before.json").read_text(encoding="utf-8"))
    for name, value in before["sysctls"].items():
        (Path("/proc/sys") / name).write_text(value, encoding="utf-8")
    for folder in FOLDERS:
        if str(folder) not in before["folders"]:
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(config.home)


def programs(config: ClusterConfig) -> list[int]:
    """The processes of the cluster that are no pods."""
    return [pid for pid, text in _processes() if str(config.home) in text]


def traces(config: ClusterConfig) -> list[str]:
    """What is left of a cluster on this machine, one line each; empty when it is clean."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
    return [
        *(f"process {pid}: {text}" for pid, text in _processes() if str(config.home) in text),
        *(f"process {pid} of a pod" for pid in _pod_processes()),
        *(f"mount {mount}" for mount in _mounts(config.home)),
        *(f"cgroup {folder}" for folder in _pod_cgroups()),
        *(f"link {link}" for link in (config.pods_link, config.node_link) if link in links),
        *(f"nftables {line}" for line in tables.stdout.splitlines() if "kube-proxy" in line),
        *(f"folder {folder}" for folder in (config.home,) if folder.exists()),
    ]


def _shims(config: ClusterConfig) -> list[int]:
    socket = str(config.containerd_socket)
    found = [(pid, text) for pid, text in _processes() if socket in text]
    return [pid for pid, text in found if "containerd-shim" in text.split(" ")[0]]


def _processes() -> Iterator[tuple[int, str]]:
    """Every process but this one with its command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words and pid != os.getpid():
            yield pid, words.replace("\0", " ").strip()


def _pod_cgroups() -> list[Path]:
    """One in each hierarchy of cgroup v1, or the only one of v2."""
    return [path for path in (CGROUPS / PODS, *CGROUPS.glob(f"*/{PODS}")) if path.is_dir()]


def processes_of(pod: str) -> list[int]:
    """The processes of the pod with this UID."""
    return _processes_in([path for root in _pod_cgroups() for path in root.rglob(f"pod{pod}")])


def _pod_processes() -> list[int]:
    return _processes_in(_pod_cgroups())


def _processes_in(groups: list[Path]) -> list[int]:
    found = set()
    for root in groups:
        for folder, _, _ in os.walk(root):  # they go away as their processes do
            with contextlib.suppress(OSError):
                found |= {int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split()}
    return sorted(found)


def _remove_tree_of_cgroups(folder: Path) -> None:
    for path, _, _ in os.walk(folder, topdown=False):
        Path(path).rmdir()


def _mounts(home: Path) -> list[str]:
    """Mount points at or below ``home``, the innermost first."""
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    points = [line.split(" ")[1] for line in lines]
    return [p for p in reversed(points) if p == str(home) or p.startswith(f"{home}/")]


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
