"""Object storage: one Protocol (`ObjectStore`), a folder or any S3 service behind it."""

from omnireel.store.base import ObjectInfo, ObjectStore
from omnireel.store.chunks import CHUNK_BYTES
from omnireel.store.local import LocalStore
from omnireel.store.open import open_store

__all__ = ["CHUNK_BYTES", "LocalStore", "ObjectInfo", "ObjectStore", "open_store"]
