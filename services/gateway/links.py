"""Links to stored objects that work for whoever has them, until they expire.

A store such as S3 signs its own. For a folder, the gateway does: the link carries whose object it
is and until when, and an HMAC-SHA256 over both.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from omnireel.errors import NotFound
from services.gateway.signing_key import SigningKey

PATH = "/links/"
MAX_TOKEN = 4096
TAG_BYTES = 16
EXPIRY_STEP_S = 60


@dataclass(frozen=True)
class Linked:
    """What a link leads to: an object of a tenant."""

    tenant: str
    uri: str


class Links:
    """Makes and reads links. Until :attr:`base_url` is set, nobody serves them."""

    def __init__(
        self, key: SigningKey, lifetime_s: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._key = key.derive("links")
        self._lifetime_s = lifetime_s
        self._clock = clock
        self.base_url = ""

    def make(self, linked: Linked) -> str:
        """An address for ``linked``; empty while there is no HTTP door.

        Those made within a minute are equal, so that a page that asks again finds its copy.
        """
        if not self.base_url:
            return ""
        ends = int(self._clock() // EXPIRY_STEP_S + 1) * EXPIRY_STEP_S + self._lifetime_s
        payload = json.dumps([ends, linked.tenant, linked.uri], separators=(",", ":")).encode()
        token = base64.urlsafe_b64encode(self._tag(payload) + payload).decode().rstrip("=")
        return f"{self.base_url}{PATH}{token}"

    def read(self, token: str) -> Linked:
        """What ``token`` leads to.

        Raises:
            NotFound: it is not one of ours, or has expired; which of both is not said.
        """
        unknown = NotFound("this link is unknown or has expired; ask for a new one")
        if len(token) > MAX_TOKEN:
            raise unknown
        try:
            data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (ValueError, binascii.Error) as error:
            raise unknown from error
        tag, payload = data[:TAG_BYTES], data[TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(payload)):
            raise unknown
        ends, tenant, uri = json.loads(payload)
        if self._clock() >= ends:
            raise unknown
        return Linked(tenant, uri)

    def _tag(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, hashlib.sha256)[:TAG_BYTES]
