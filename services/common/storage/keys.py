"""What an object is and whose, by its key.

``uploads/{tenant}/{nonce}/sha256/ab/{hash}.png`` and ``jobs/{job}/{attempt}/{file}``. A key with a
nonce is never written twice, so removing an object cannot remove one that came just now.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum

from omnireel.store.keys import content_key

UPLOADS, JOBS = "uploads/", "jobs/"


class Kind(StrEnum):
    """The kinds of stored objects."""

    UPLOAD = "upload"
    RESULT = "result"
    LATENTS = "latents"
    PREVIEW = "preview"
    CHECKPOINT = "checkpoint"
    OTHER = "other"


@dataclass(frozen=True)
class Owner:
    """``owner`` is a tenant for an upload, a job for everything else."""

    kind: Kind
    owner: str


_RESULTS = ("base.", "upscaled.", "poster.")


def upload_key(tenant: str, sha256: str, suffix: str) -> str:
    """A fresh key for an upload; reading it back checks the hash in it."""
    return f"{UPLOADS}{tenant}/{secrets.token_hex(8)}/{content_key(sha256, suffix)}"


def owner_of(key: str) -> Owner | None:
    """Whose the object is; None for a key that is not of this kind."""
    folder, _, rest = key.partition("/")
    owner, _, inner = rest.partition("/")
    if not inner:
        return None
    if folder == "uploads":
        return Owner(Kind.UPLOAD, owner)
    if folder != "jobs":
        return None
    name = inner.rpartition("/")[2]
    if name.startswith(_RESULTS):
        return Owner(Kind.RESULT, owner)
    for kind in (Kind.LATENTS, Kind.PREVIEW, Kind.CHECKPOINT):
        if name.startswith(kind.value) or f"/{kind.value}" in f"/{inner}":
            return Owner(kind, owner)
    return Owner(Kind.OTHER, owner)
