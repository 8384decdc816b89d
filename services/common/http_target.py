"""Where an address that a user names may lead: checked, resolved once, and every address it has
checked too."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from omnireel.errors import InvalidInput, Unavailable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_URL_CHARACTERS = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class HttpPolicy:
    """Where requests may go and how much they may take.

    ``allow_networks`` are private networks that may be reached in spite of being private.
    ``timeout_s`` bounds one request from connecting to the last byte, redirects included.
    """

    schemes: frozenset[str] = frozenset({"https"})
    ports: frozenset[int] = frozenset({443})
    allow_networks: tuple[Network, ...] = ()
    max_redirects: int = 3
    max_bytes: int = 1 << 20
    timeout_s: float = 30.0


@dataclass(frozen=True)
class Target:
    """A checked URL with the one address that will be connected to."""

    url: str
    scheme: str
    host: str
    port: int
    path: str
    address: str

    @property
    def host_header(self) -> str:
        """``Host`` as the server expects it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def resolve_target(url: str, policy: HttpPolicy, *, field: str = "url") -> Target:
    """Check ``url`` and resolve its host.

    Raises:
        InvalidInput: it is no URL that ``policy`` allows, or any of its addresses is private,
            loopback, link-local, multicast or reserved (and not in ``allow_networks``).
        Unavailable: the name cannot be resolved now.
    """
    parts, port = _split(url, policy, field)
    host = (parts.hostname or "").rstrip(".")
    try:
        name = host if ":" in host else host.encode("idna").decode("ascii")
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise InvalidInput(f"{field}: {host[:80]!r} is no host name", field=field) from error
    except socket.gaierror as error:
        if error.errno in (socket.EAI_NONAME, socket.EAI_FAMILY):
            raise InvalidInput(f"{field}: there is no host {host[:80]!r}", field=field) from error
        raise Unavailable(f"{field}: {host[:80]!r} cannot be resolved now; try again") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not is_allowed(address, policy.allow_networks):
            # Which address it was stays with us: the answer must not map our network.
            raise InvalidInput(
                f"{field}: {host[:80]!r} is not a public address; use one on the open internet",
                field=field,
            )
    path = parts.path or "/"
    return Target(
        url=url,
        scheme=parts.scheme,
        host=name,
        port=port,
        path=f"{path}?{parts.query}" if parts.query else path,
        address=addresses[0],
    )


def is_allowed(address: str, allow_networks: tuple[Network, ...] = ()) -> bool:
    """Whether a resolved address is public, or in one of ``allow_networks``.

    IPv6 forms that carry an IPv4 address (mapped, 6to4, Teredo, NAT64) are judged by that one too.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _embedded(ip)
    if any(each.version == net.version and each in net for each in inner for net in allow_networks):
        return True
    return "%" not in address and all(each.is_global and not each.is_multicast for each in inner)


def _embedded(ip: Address) -> list[Address]:
    if isinstance(ip, ipaddress.IPv4Address):
        return [ip]
    if ip.ipv4_mapped is not None:
        return [ip.ipv4_mapped]
    found: list[Address] = [ip]
    if ip.sixtofour is not None:
        found.append(ip.sixtofour)
    if ip.teredo is not None:
        found.extend(ip.teredo)
    if ip in _NAT64:
        found = [ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)]
    return found


def _split(url: str, policy: HttpPolicy, field: str) -> tuple[SplitResult, int]:
    printable = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if len(url) > MAX_URL_CHARACTERS or not printable:
        raise InvalidInput(
            f"{field} is no plain URL; percent-encode it ({MAX_URL_CHARACTERS} characters at most)",
            field=field,
        )
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise InvalidInput(f"{field} is no URL: {error}", field=field) from error
    if parts.scheme not in policy.schemes or parts.scheme not in _DEFAULT_PORTS:
        allowed = ", ".join(f"{scheme}://" for scheme in sorted(policy.schemes))
        raise InvalidInput(f"{field} must begin with {allowed}", field=field)
    if not parts.hostname or "%" in parts.netloc:
        raise InvalidInput(f"{field} has no plain host name", field=field)
    if "@" in parts.netloc:
        raise InvalidInput(f"{field} must not carry a user name or password", field=field)
    if port not in policy.ports:
        ports = ", ".join(str(number) for number in sorted(policy.ports))
        raise InvalidInput(f"{field}: port {port} is not allowed; use {ports}", field=field)
    return parts, port
