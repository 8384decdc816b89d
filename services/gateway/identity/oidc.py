"""Bearer tokens of an OpenID Connect issuer, checked offline against its published keys.

Keys come from the issuer's discovery document and JWKS, are cached, and are fetched anew when a
token names one that is not there: that is how an issuer rotates them. Only the asymmetric
algorithms of the configuration are accepted, so neither ``none`` nor a public key taken for the
secret of an HMAC gets in.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import jwt

from omnireel.errors import InvalidInput, PermissionDenied, Unauthenticated, Unavailable
from services.gateway.identity.principal import Principal, Scope, check_tenant

ASYMMETRIC = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
TIMEOUT_S = 5.0
DISCOVERY_S = 3600.0
MAX_DOCUMENT_BYTES = 1 << 20
MAX_TOKEN_CHARACTERS = 16_384
_CLAIMS = ["exp", "iat", "iss", "aud", "sub"]


@dataclass(frozen=True)
class OidcConfig:
    """Whose tokens are taken and what their claims mean. Times are seconds.

    ``tenants`` maps values of the tenant claim to tenants, and ``scopes`` those of the scope claim
    to scopes; an empty map takes values as they are. A claim inside another is named with dots.
    """

    issuer: str
    audience: str
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    tenant_claim: str = "tenant"
    scope_claim: str = "scope"
    tenants: Mapping[str, str] = field(default_factory=dict)
    scopes: Mapping[str, str] = field(default_factory=dict)
    leeway_s: float = 30.0
    keys_live_s: float = 300.0
    refetch_s: float = 30.0

    def __post_init__(self) -> None:
        _check_url(self.issuer, "oidc_issuer")
        if not self.audience:
            raise InvalidInput("name the audience that tokens must be for", field="oidc_audience")
        wrong = set(self.algorithms) - ASYMMETRIC
        if wrong or not self.algorithms:
            raise InvalidInput(
                f"{', '.join(sorted(wrong)) or 'nothing'} is not accepted; choose from "
                f"{', '.join(sorted(ASYMMETRIC))}",
                field="oidc_algorithms",
            )


class OidcVerifier:
    """Thread-safe; talks to the issuer only when it needs keys."""

    def __init__(self, config: OidcConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._client: jwt.PyJWKClient | None = None
        self._discovered_at = 0.0

    def verify(self, token: str) -> Principal:
        """Who the token speaks for.

        Raises:
            Unauthenticated: it is not a valid token of this issuer for this audience now.
            PermissionDenied: it is, but belongs to no tenant.
            Unavailable: the issuer does not say its keys.
        """
        config = self._config
        try:
            header = jwt.get_unverified_header(token[:MAX_TOKEN_CHARACTERS])
            if header.get("alg") not in config.algorithms:
                raise Unauthenticated("the token's algorithm is not accepted")
            key = self._keys().get_signing_key(str(header.get("kid", "")))
            claims = jwt.decode(
                token,
                key,
                algorithms=list(config.algorithms),
                audience=config.audience,
                issuer=config.issuer,
                leeway=config.leeway_s,
                options={"require": _CLAIMS},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise _away(config.issuer) from error
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("the token has expired; get a new one") from error
        except jwt.PyJWTError as error:
            raise Unauthenticated("the token is not valid here") from error
        return self._principal(claims)

    def _keys(self) -> jwt.PyJWKClient:
        with self._lock:
            now = time.monotonic()
            if self._client is None or now - self._discovered_at > DISCOVERY_S:
                self._client = jwt.PyJWKClient(
                    _jwks_uri(self._config.issuer),
                    lifespan=self._config.keys_live_s,
                    timeout=TIMEOUT_S,
                    cooldown_duration=self._config.refetch_s,
                )
                self._discovered_at = now
            return self._client

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        config = self._config
        tenant = _claim(claims, config.tenant_claim)
        if config.tenants:
            tenant = config.tenants.get(str(tenant))
        try:
            check_tenant(tenant if isinstance(tenant, str) else "")
        except InvalidInput as error:
            raise PermissionDenied(
                f"the token belongs to no tenant here (claim {config.tenant_claim!r})"
            ) from error
        given = _claim(claims, config.scope_claim)
        words = given.split() if isinstance(given, str) else given
        named = {str(word) for word in words} if isinstance(words, list) else set()
        if config.scopes:
            named = {config.scopes[word] for word in named if word in config.scopes}
        scopes = frozenset(scope for scope in Scope if scope.value in named)
        return Principal(str(tenant), f"oidc:{claims['sub']}"[:128], scopes)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _jwks_uri(issuer: str) -> str:
    url = issuer.rstrip("/") + "/.well-known/openid-configuration"
    opener = urllib.request.build_opener(_NoRedirect())
    try:
        with opener.open(url, timeout=TIMEOUT_S) as answer:
            document = json.loads(answer.read(MAX_DOCUMENT_BYTES))
        if document["issuer"] != issuer:
            raise ValueError(f"it calls itself {str(document['issuer'])[:200]!r}")
        return _check_url(str(document["jwks_uri"]), "jwks_uri")
    except (OSError, ValueError, KeyError, TypeError, InvalidInput) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise _away(issuer) from error


def _away(issuer: str) -> Unavailable:
    away = Unavailable(f"the issuer {issuer} does not say its keys; try again", retry_after_s=5.0)
    away.reason = "ISSUER_AWAY"
    return away


def _check_url(url: str, name: str) -> str:
    parts = urlsplit(url)
    loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise InvalidInput(f"{url[:200]!r} must begin with https://", field=name)
    return url


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
