"""The cluster's certificates, all from one authority that lives as long as the cluster does."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=30)


@dataclass(frozen=True)
class Pair:
    """PEM files of a certificate and its key."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates; a subject's organisations are its groups in Kubernetes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _subject("cluster", ())
        self.ca = folder / "ca.crt"
        usage = x509.BasicConstraints(ca=True, path_length=0)
        self._sign(self._name, self._key, [(usage, True)], self.ca)

    def issue(self, name: str, groups: tuple[str, ...] = (), hosts: tuple[str, ...] = ()) -> Pair:
        """A certificate for a client, and for a server at ``hosts`` (names and addresses)."""
        file = name.replace(":", "-")
        pair = Pair(self._folder / f"{file}.crt", self._folder / f"{file}.key")
        key = ec.generate_private_key(ec.SECP256R1())
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        more: list[tuple[x509.ExtensionType, bool]] = [(x509.ExtendedKeyUsage(uses), False)]
        if hosts:
            more.append((x509.SubjectAlternativeName([_host(host) for host in hosts]), False))
        self._sign(_subject(name, groups), key, more, pair.cert)
        _write_key(pair.key, key)
        return pair

    def service_account_key(self) -> Path:
        """A key that tokens are signed with."""
        path = self._folder / "service-accounts.key"
        _write_key(path, ec.generate_private_key(ec.SECP256R1()))
        return path

    def kubeconfig(self, server: str, name: str, groups: tuple[str, ...] = ()) -> Path:
        """A file with which ``name`` calls the API server at ``server``."""
        pair = self.issue(name, groups)
        path = pair.cert.with_suffix(".kubeconfig")
        user = {
            "client-certificate-data": _base64(pair.cert),
            "client-key-data": _base64(pair.key),
        }
        cluster = {"server": server, "certificate-authority-data": _base64(self.ca)}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "omnireel-test",
            "clusters": [{"name": "omnireel-test", "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [
                {"name": "omnireel-test", "context": {"cluster": "omnireel-test", "user": name}}
            ],
        }  # fmt: skip
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=1), encoding="utf-8")
        return path

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        extensions: list[tuple[x509.ExtensionType, bool]],
        path: Path,
    ) -> None:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder(subject_name=subject, issuer_name=self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + LIFETIME)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        signed = builder.sign(self._key, hashes.SHA256())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def _subject(name: str, groups: tuple[str, ...]) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
