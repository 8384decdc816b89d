"""Store addresses -> stores.

::

    file:///var/lib/omnireel/objects
    s3://bucket/prefix?endpoint=http://minio:9000

Options of ``s3://``: ``endpoint`` (default AWS), ``region`` (default us-east-1),
``public_endpoint`` (what clients reach, for signed addresses; default the endpoint), and
``access_key_env`` / ``secret_key_env`` / ``session_token_env``: the *names* of the environment
variables that hold the credentials (default AWS_ACCESS_KEY_ID and so on). Credentials themselves
never stand in an address, since addresses get logged.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.store.base import ObjectStore
from omnireel.store.local import LocalStore

_FORMS = "use file:///absolute/folder or s3://bucket/prefix?endpoint=http://host:port"


def open_store(url: str, *, foreign_keys: bool = False) -> ObjectStore:
    """The store at ``url``. A local folder is made; an S3 bucket is made by the first write.

    ``foreign_keys``: a bucket whose objects others have named, see `omnireel.store.s3.S3Settings`.

    Raises:
        InvalidInput: not such an address.
        FailedPrecondition: credentials missing, or the folder cannot be used.
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise InvalidInput(
            "a store address must not hold credentials; give the environment variables that do "
            "(access_key_env, secret_key_env)",
            field="store",
        )
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/") or parts.query:
            raise InvalidInput(f"{url!r} is not a folder address; {_FORMS}", field="store")
        return LocalStore(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        return _open_s3(url, foreign_keys)
    raise InvalidInput(f"{url!r} is not a store address; {_FORMS}", field="store")


def _open_s3(url: str, foreign_keys: bool) -> ObjectStore:
    # Imported here so that a local store needs no S3 client installed.
    from omnireel.store.s3 import S3Settings, S3Store

    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    known = {
        "endpoint",
        "public_endpoint",
        "region",
        "access_key_env",
        "secret_key_env",
        "session_token_env",
    }
    if unknown := sorted(options.keys() - known):
        raise InvalidInput(
            f"unknown option {unknown[0]!r} of an s3:// address; known: {', '.join(sorted(known))}",
            field="store",
        )
    if not parts.netloc:
        raise InvalidInput(f"{url!r} names no bucket; {_FORMS}", field="store")
    endpoint = options.get("endpoint", "https://s3.amazonaws.com")
    return S3Store(
        S3Settings(
            bucket=parts.netloc,
            prefix=parts.path.strip("/"),
            endpoint=endpoint,
            public_endpoint=options.get("public_endpoint", endpoint),
            region=options.get("region", "us-east-1"),
            foreign_keys=foreign_keys,
        ),
        access_key=_from_environment(options.get("access_key_env", "AWS_ACCESS_KEY_ID")),
        secret_key=_from_environment(options.get("secret_key_env", "AWS_SECRET_ACCESS_KEY")),
        session_token=os.environ.get(options.get("session_token_env", "AWS_SESSION_TOKEN")),
    )


def _from_environment(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise FailedPrecondition(
            f"the store's credentials are missing: set the environment variable {name}"
        )
    return value
