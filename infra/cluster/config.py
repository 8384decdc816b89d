"""Where the cluster is on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from infra.cluster.control_plane import ApiConfig


@dataclass(frozen=True)
class ClusterConfig:
    """One node; all files are in ``home``, which ``make cluster-down`` removes."""

    home: Path = Path("/var/lib/omnireel-cluster")
    node: str = "omnireel-test"
    address: str = "172.31.254.1"
    """The node's own, on a bridge without members: whatever else the machine has may change."""
    node_link: str = "omni-node"
    pods_link: str = "omni-pods"
    pods: str = "10.244.0.0/24"
    dns_domain: str = "cluster.local"
    volumes: int = 8
    """Local PersistentVolumes, each a folder; there is no provisioner."""

    @property
    def api(self) -> ApiConfig:
        """The API server's part."""
        return ApiConfig(16443, 12379, self.address, with_nodes=True)

    @property
    def kubeconfig(self) -> Path:
        """An administrator's."""
        return self.home / "pki" / "admin.kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens."""
        return self.home / "containerd.sock"
