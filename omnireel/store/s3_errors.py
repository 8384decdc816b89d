"""S3's and the network's failures -> the exception tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import urllib3
from minio.error import InvalidResponseError, S3Error, ServerError

from omnireel.errors import (
    FailedPrecondition,
    NotFound,
    OmnireelError,
    ResourceExhausted,
    Unavailable,
)

_MISSING = ("NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NoSuchUpload", "ResourceNotFound")
_REFUSED = (
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidBucketName",
)
_FULL = (
    "XMinioStorageFull",
    "InsufficientStorage",
    "QuotaExceeded",
    "XMinioAdminBucketQuotaExceeded",
)


@contextmanager
def s3_errors(uri: str, endpoint: str) -> Iterator[None]:
    """Name the object and the endpoint in whatever goes wrong."""
    try:
        yield
    except S3Error as error:
        raise _translated(error, uri, endpoint) from error
    except (ServerError, InvalidResponseError) as error:
        raise Unavailable(f"the object store {endpoint} answered wrongly: {error}") from error
    except urllib3.exceptions.HTTPError as error:
        raise Unavailable(
            f"the object store {endpoint} cannot be reached; check that it runs"
        ) from error


def _translated(error: S3Error, uri: str, endpoint: str) -> OmnireelError:
    status = error.response.status if error.response is not None else 0
    if error.code in _MISSING:
        return NotFound(f"{uri} is not in the store, or was deleted")
    if error.code in _FULL or status == 507:
        return ResourceExhausted(f"the object store {endpoint} is full; free some space")
    if error.code in _REFUSED:
        return FailedPrecondition(
            f"the object store {endpoint} refused {uri}: {error.code}; check credentials and policy"
        )
    return Unavailable(f"the object store {endpoint} failed on {uri}: {error.code}")
