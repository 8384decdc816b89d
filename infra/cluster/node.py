"""The node: containerd, kubelet, kube-proxy and DNS, as processes of this machine."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from pathlib import Path
from typing import IO, Any

from infra.cluster.config import ClusterConfig
from infra.cluster.control_plane import ADMINS, Api
from infra.cluster.daemons import Daemons, wait_until

PAUSE = "localhost/omnireel-test/pause:1"
PLUGINS = ("bridge", "loopback", "host-local")

# Without CAP_SYS_RESOURCE a sandbox dies unless its adjustment is restricted.
CONTAINERD = """\
version = 2
root = "{home}/images"
state = "{home}/containers"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{home}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "{pause}"
  netns_mounts_under_state_dir = true
  disable_tcp_service = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{home}/cni/bin"
    conf_dir = "{home}/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "{home}/runc"
      SystemdCgroup = false
"""

# Names outside of the cluster do not exist.
COREFILE = """\
{domain}:53 {{
  bind {address}
  errors
  kubernetes {domain} {{
    kubeconfig {kubeconfig}
    ttl 5
  }}
}}
.:53 {{
  bind {address}
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""


def start_network(config: ClusterConfig, binaries: dict[str, Path]) -> None:
    """The node's address, and what gives pods theirs."""
    _ip("link", "add", config.node_link, "type", "bridge")
    _ip("address", "add", f"{config.address}/32", "dev", config.node_link)
    _ip("link", "set", config.node_link, "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="utf-8")
    plugins = config.home / "cni" / "bin"
    plugins.mkdir(parents=True)
    for name in PLUGINS:
        (plugins / name).symlink_to(binaries[name])
    gateway = str(next(ipaddress.ip_network(config.pods).hosts()))
    bridge = {
        "type": "bridge", "bridge": config.pods_link, "isGateway": True, "hairpinMode": True,
        "ipam": {
            "type": "host-local", "dataDir": str(config.home / "cni" / "addresses"),
            "ranges": [[{"subnet": config.pods, "gateway": gateway}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }  # fmt: skip
    conflist = {"cniVersion": "1.0.0", "name": config.node, "plugins": [bridge]}
    folder = config.home / "cni" / "net.d"
    folder.mkdir()
    (folder / "10-bridge.conflist").write_text(json.dumps(conflist), encoding="utf-8")


def start_containerd(config: ClusterConfig, daemons: Daemons) -> None:
    """containerd; it answers when this returns."""
    path = config.home / "containerd.toml"
    text = CONTAINERD.format(home=config.home, socket=config.containerd_socket, pause=PAUSE)
    path.write_text(text, encoding="utf-8")
    daemon = daemons.start("containerd", ["containerd", "--config", str(path)])
    wait_until(lambda: ctr(config, "version").returncode == 0, daemon)


def ctr(
    config: ClusterConfig, *words: str, stdin: IO[bytes] | None = None
) -> subprocess.CompletedProcess[str]:
    """Call the command line of containerd, for the images and containers of Kubernetes."""
    command = ["ctr", "--address", str(config.containerd_socket), "-n", "k8s.io", *words]
    return subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False)


def start_node(
    config: ClusterConfig, api: Api, binaries: dict[str, Path], daemons: Daemons
) -> None:
    """kubelet, kube-proxy and DNS."""
    node = api.authority.kubeconfig(api.config.url, f"system:node:{config.node}", ("system:nodes",))
    settings = _write(config.home / "kubelet.json", _kubelet(config, api))
    daemons.start("kubelet", [
        str(binaries["kubelet"]), f"--config={settings}", f"--kubeconfig={node}",
        f"--root-dir={config.home / 'kubelet'}", f"--hostname-override={config.node}",
        f"--node-ip={config.address}", f"--cert-dir={config.home / 'pki' / 'kubelet'}",
    ])  # fmt: skip
    proxy = api.authority.kubeconfig(api.config.url, "system:kube-proxy")
    settings = _write(config.home / "kube-proxy.json", _kube_proxy(config, proxy))
    daemons.start("kube-proxy", [str(binaries["kube-proxy"]), f"--config={settings}"])
    corefile = config.home / "Corefile"
    dns = api.authority.kubeconfig(api.config.url, "dns", ADMINS)
    text = COREFILE.format(address=config.address, domain=config.dns_domain, kubeconfig=dns)
    corefile.write_text(text, encoding="utf-8")
    daemons.start("coredns", [str(binaries["coredns"]), "-conf", str(corefile)])


def _kubelet(config: ClusterConfig, api: Api) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "address": config.address,
        "authentication": {
            "anonymous": {"enabled": False}, "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(api.authority.ca)},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs", "failCgroupV1": False, "failSwapOn": False,
        "clusterDNS": [config.address], "clusterDomain": config.dns_domain,
        "containerRuntimeEndpoint": f"unix://{config.containerd_socket}",
        "podLogsDir": str(config.home / "logs"),
        "volumePluginDir": str(config.home / "kubelet" / "plugins"),
        "makeIPTablesUtilChains": False, "oomScoreAdj": 0,
        # The machine's disk is for others too: nothing is evicted or collected because of them.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1Gi"},
    }  # fmt: skip


def _kube_proxy(config: ClusterConfig, kubeconfig: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "mode": "nftables", "clusterCIDR": config.pods, "hostnameOverride": config.node,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "healthzBindAddress": f"{config.address}:10256",
        "metricsBindAddress": f"{config.address}:10249",
        "conntrack": {"maxPerCore": 0, "min": 0},
        "nftables": {"minSyncPeriod": "1s"}, "oomScoreAdj": 0,
    }  # fmt: skip


def _write(path: Path, settings: dict[str, Any]) -> Path:
    path.write_text(json.dumps(settings, indent=1), encoding="utf-8")
    return path


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
