"""A small OpenID Connect issuer on a real port: discovery, JWKS, RSA keys that rotate."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm


class Issuer:
    """Signs tokens; ``fetched`` are the paths that it was asked for."""

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.down = False
        self.says_it_is = ""
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self.current = self.rotate()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetched.append(self.path)
                document = None if issuer.down else issuer.documents().get(self.path)
                self.send_response(503 if document is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def documents(self) -> dict[str, Any]:
        jwks = []
        for kid, key in self._keys.items():
            public = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
            jwks.append({**public, "kid": kid, "use": "sig", "alg": "RS256"})
        name = self.says_it_is or self.url
        return {
            "/.well-known/openid-configuration": {"issuer": name, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": jwks},
        }

    def rotate(self, *, forget_old: bool = False) -> str:
        """Sign with a new key from now on."""
        if forget_old:
            self._keys.clear()
        self.current = f"key-{len(self.fetched)}-{len(self._keys)}-{time.monotonic_ns()}"
        self._keys[self.current] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return self.current

    def public_pem(self) -> bytes:
        """The current key as everybody knows it."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = self._keys[self.current].public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def token(self, *, kid: str | None = None, **claims: Any) -> str:
        """A token for an hour; a claim of None is left out."""
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": "omnireel",
            "sub": "someone",
            "iat": now,
            "exp": now + 3600,
            "tenant": "studio",
            "scope": "openid videos:read",
        }
        payload = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        headers = {"kid": self.current if kid is None else kid}
        return jwt.encode(payload, self._keys[self.current], algorithm="RS256", headers=headers)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    try:
        yield issuer
    finally:
        issuer.close()
