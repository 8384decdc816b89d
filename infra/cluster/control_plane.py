"""etcd and the API server, which are enough to judge objects; the cluster adds the rest."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from infra.cluster.daemons import Daemons, wait_until
from infra.cluster.pki import Authority

ADMINS = ("system:masters",)


@dataclass(frozen=True)
class ApiConfig:
    """Where the API server listens, and what it tells pods of itself."""

    port: int
    etcd_port: int
    address: str = "127.0.0.1"
    services: str = "10.96.0.0/16"
    """Addresses of Services; the first is the API server's own."""
    own_service_address: str = "10.96.0.1"
    with_nodes: bool = False
    """Whether pods are to reach it: then ``address`` is one that they can call."""

    @property
    def url(self) -> str:
        """Of the API server."""
        return f"https://{self.address}:{self.port}"


@dataclass(frozen=True)
class Api:
    """A running API server and the files to call it with."""

    config: ApiConfig
    authority: Authority
    service_account_key: Path
    kubeconfig: Path


def start_api(config: ApiConfig, folder: Path, binaries: dict[str, Path], daemons: Daemons) -> Api:
    """Start etcd and kube-apiserver with their files in ``folder``; they answer when it returns.

    Raises:
        NotStarted: one of them does not.
    """
    authority = Authority(folder / "pki")
    _start_etcd(config, folder, binaries["etcd"], daemons)
    names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
    addresses = ("127.0.0.1", config.own_service_address)
    server = authority.issue("kube-apiserver", hosts=(*names, *{*addresses, config.address}))
    kubelet = authority.issue("apiserver-to-kubelet", ADMINS)
    proxy = authority.issue("front-proxy")
    key = authority.service_account_key()
    flags = {
        "etcd-servers": f"http://127.0.0.1:{config.etcd_port}",
        "bind-address": "0.0.0.0" if config.with_nodes else config.address,
        "advertise-address": config.address,
        "endpoint-reconciler-type": "lease" if config.with_nodes else "none",
        "secure-port": config.port,
        "tls-cert-file": server.cert,
        "tls-private-key-file": server.key,
        "client-ca-file": authority.ca,
        "requestheader-client-ca-file": authority.ca,
        "requestheader-allowed-names": "front-proxy",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "proxy-client-cert-file": proxy.cert,
        "proxy-client-key-file": proxy.key,
        "kubelet-client-certificate": kubelet.cert,
        "kubelet-client-key": kubelet.key,
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": key,
        "service-account-signing-key-file": key,
        "service-cluster-ip-range": config.services,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "profiling": "false",
    }
    command = [str(binaries["kube-apiserver"]), *(f"--{k}={v}" for k, v in flags.items())]
    daemon = daemons.start("kube-apiserver", command)
    admin = authority.issue("admin", ADMINS)
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.load_cert_chain(admin.cert, admin.key)
    wait_until(lambda: _answers(f"{config.url}/readyz", context), daemon)
    return Api(config, authority, key, authority.kubeconfig(config.url, "admin", ADMINS))


def _start_etcd(config: ApiConfig, folder: Path, etcd: Path, daemons: Daemons) -> None:
    url = f"http://127.0.0.1:{config.etcd_port}"
    flags = {
        "name": "test",
        "data-dir": folder / "etcd",
        "listen-client-urls": url,
        "advertise-client-urls": url,
        "listen-peer-urls": "http://127.0.0.1:0",
        "log-level": "warn",
    }
    command = [str(etcd), *(f"--{k}={v}" for k, v in flags.items()), "--unsafe-no-fsync"]
    daemon = daemons.start("etcd", command)
    wait_until(lambda: _answers(f"{url}/readyz"), daemon)


def _answers(url: str, context: ssl.SSLContext | None = None) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2, context=context):
            return True
    except (urllib.error.URLError, OSError):
        return False
