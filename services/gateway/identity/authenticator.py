"""From the headers of a call, gRPC or HTTP, to the one who makes it."""

from __future__ import annotations

from collections.abc import Mapping

from omnireel.errors import Unauthenticated
from services.gateway.identity.api_key import PREFIX, parse_key
from services.gateway.identity.key_store import KeyStore
from services.gateway.identity.oidc import OidcVerifier
from services.gateway.identity.principal import OWNER, Principal

_REMEDY = "send `authorization: Bearer <API key>`"
_NOT_VALID = "the API key is not valid, or no longer valid; ask for a new one"


class Authenticator:
    """Knows API keys and, with ``oidc``, an issuer's tokens.

    ``keys`` None means that authentication is off and the owner calls.
    """

    def __init__(self, keys: KeyStore | None, oidc: OidcVerifier | None = None) -> None:
        self._keys = keys
        self._oidc = oidc

    def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Who calls. ``headers`` have lower-case names.

        A key that never was, one that expired, one that was revoked and one with a wrong secret
        get the same answer.

        Raises:
            Unauthenticated: no credential, or one that is not valid.
            PermissionDenied: a valid token that belongs to no tenant.
            Unavailable: the issuer of tokens does not say its keys.
        """
        if self._keys is None:
            return OWNER
        token = _token(headers)
        if token.startswith(PREFIX):
            return self._by_key(self._keys, token)
        if self._oidc is None:
            raise Unauthenticated(f"this is no API key; {_REMEDY}")
        return self._oidc.verify(token)

    @staticmethod
    def _by_key(keys: KeyStore, token: str) -> Principal:
        key = parse_key(token)
        record = keys.find(key.id) if key else None
        if key is None or record is None or not key.matches(record.secret_hash):
            raise Unauthenticated(_NOT_VALID)
        if record.state(keys.clock()) != "active":
            raise Unauthenticated(_NOT_VALID)
        keys.used(record)
        return record.principal


def _token(headers: Mapping[str, str]) -> str:
    value = headers.get("authorization", "")
    if not value:
        raise Unauthenticated(f"who calls? {_REMEDY}")
    kind, _, token = value.partition(" ")
    if kind.lower() != "bearer" or not token:
        raise Unauthenticated(f"the authorization header is not understood; {_REMEDY}")
    return token.strip()
