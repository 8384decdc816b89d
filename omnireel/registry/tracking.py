"""The connection to MLflow, and its failures in our words.

MLflow is imported when a connection is opened: it takes seconds, and serving never needs it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from omnireel.errors import (
    FailedPrecondition,
    InvalidInput,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from omnireel.registry.folders import is_disk_full

DEFAULT_TRACKING_URI = "sqlite:///runs/mlflow.db"
EXPERIMENT = "omnireel"
CONNECT_TIMEOUT_S = 5.0

_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306}
_SQLITE = "sqlite:///"
_SHOWN_ERROR = 300


def open_client(tracking_uri: str, *, create: bool = False) -> Any:
    """An ``MlflowClient`` for tracking and registry at one address.

    Args:
        tracking_uri: ``sqlite:///file``, ``http(s)://server`` or another that MLflow knows.
        create: make a missing SQLite file; otherwise it is an error.

    Raises:
        FailedPrecondition: MLflow is not installed.
        NotFound: no database there (and ``create`` is off).
        Unavailable: no server answers there, or the database cannot be used.

    """
    _check_reachable(tracking_uri, create)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise FailedPrecondition(
            "MLflow is not installed: pip install 'omnireel[train]'"
        ) from error
    with mlflow_errors(tracking_uri):
        return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


def experiment_id(client: Any, tracking_uri: str, artifact_root: str | None = None) -> str:
    """The experiment of runs and components, made when it is not there.

    Its files go to ``artifact_root`` (``s3://bucket/prefix``, a folder's URI); by default to
    ``mlartifacts`` beside a SQLite file, or to wherever the server decides.

    Raises:
        InvalidInput: the experiment exists with another root; MLflow cannot move it.

    """
    with mlflow_errors(tracking_uri):
        found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        location = str(found.artifact_location)
        if artifact_root and not location.startswith(artifact_root.rstrip("/")):
            raise InvalidInput(
                f"the experiment {EXPERIMENT!r} at {tracking_uri} keeps its files in {location}, "
                f"not in {artifact_root}; leave --artifacts out, or use another database",
                field="artifacts",
            )
        return str(found.experiment_id)
    if artifact_root is None and tracking_uri.startswith(_SQLITE):
        artifact_root = (_sqlite_file(tracking_uri).resolve().parent / "mlartifacts").as_uri()
    with mlflow_errors(tracking_uri):
        return str(client.create_experiment(EXPERIMENT, artifact_location=artifact_root))


@contextmanager
def mlflow_errors(tracking_uri: str) -> Iterator[None]:
    """Turn what MLflow and its drivers raise into Omnireel's errors."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise FailedPrecondition(
            f"MLflow needs {error.name} for the files of {tracking_uri}, which is not installed: "
            f"pip install {error.name} (or let the MLflow server proxy its files)"
        ) from error
    except Exception as error:
        if is_disk_full(error) or _says(error, "No space left", "disk is full"):
            raise ResourceExhausted(
                f"no space left for the model registry at {tracking_uri}; free some and run again"
            ) from error
        if not _is_foreign(error):
            raise
        words = " ".join(str(error).split())
        shown = words if len(words) <= _SHOWN_ERROR else words[:_SHOWN_ERROR] + " ..."
        raise Unavailable(
            f"MLflow at {tracking_uri} does not work: {shown}; check --mlflow"
        ) from error


def not_found(error: BaseException) -> bool:
    """Whether MLflow says that a thing does not exist (it has two codes for that)."""
    return getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST" or (
        getattr(error, "error_code", "") == "INVALID_PARAMETER_VALUE"
        and "not found" in str(error).lower()
    )


def _check_reachable(tracking_uri: str, create: bool) -> None:
    """Fail within seconds: MLflow itself would try again for minutes."""
    parts = urlsplit(tracking_uri)
    if tracking_uri.startswith(_SQLITE):
        _check_sqlite(_sqlite_file(tracking_uri), tracking_uri, create)
        return
    scheme = parts.scheme.partition("+")[0]
    if scheme not in _PORTS or not parts.hostname:
        if scheme in ("", "file"):
            raise InvalidInput(
                f"{tracking_uri!r} is not a tracking address with a model registry; write "
                f"--mlflow {DEFAULT_TRACKING_URI} or --mlflow http://server:5000",
                field="mlflow",
            )
        return
    if scheme in getproxies() and not proxy_bypass(parts.hostname):
        return  # only the proxy can tell
    try:
        address = (parts.hostname, parts.port or _PORTS[scheme])
        socket.create_connection(address, timeout=CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        shown = tracking_uri.replace(f":{parts.password}@", ":***@")
        raise Unavailable(
            f"no MLflow server answers at {shown} ({error}); start it, or give another address "
            "with --mlflow"
        ) from error


def _check_sqlite(path: Path, tracking_uri: str, create: bool) -> None:
    if not path.exists():
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
            return
        raise NotFound(
            f"no model registry at {tracking_uri} yet; register a component with 'omnireel "
            "registry register FOLDER --name NAME', or give another address with --mlflow"
        )
    with path.open("rb") as file:
        start = file.read(16)
    if start and start != b"SQLite format 3\0":
        raise Unavailable(
            f"{path} is not an SQLite database (damaged, or another file); check --mlflow"
        )


def _sqlite_file(tracking_uri: str) -> Path:
    return Path(tracking_uri.removeprefix(_SQLITE))


def _says(error: BaseException, *words: str) -> bool:
    return any(word in str(error) for word in words)


def _is_foreign(error: BaseException) -> bool:
    """Raised by MLflow, its HTTP client, its database or its object store."""
    package = type(error).__module__.partition(".")[0]
    return package in ("mlflow", "requests", "urllib3", "sqlalchemy", "botocore", "boto3")
