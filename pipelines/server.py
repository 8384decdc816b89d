"""A Kubeflow Pipelines server: submit, look, read logs, cancel."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import kfp_server_api
import urllib3

from omnireel.errors import (
    FailedPrecondition,
    InvalidInput,
    NotFound,
    OmnireelError,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)

FINAL = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


@dataclass(frozen=True)
class ServerConfig:
    """Where the API is, ``http(s)://host[:port]``. The token, where one is needed, stands in the
    environment variable ``token_env``, never on a command line."""

    endpoint: str
    namespace: str = ""
    """The profile's namespace of a server for several users; empty otherwise."""
    token_env: str = "KFP_TOKEN"
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        if not self.endpoint.startswith(("http://", "https://")):
            raise InvalidInput(
                f"{self.endpoint!r} is not the address of a Kubeflow Pipelines server; write "
                "http://host:port",
                field="endpoint",
            )


@dataclass(frozen=True)
class Task:
    """A step of a run. ``pod`` is empty until it has one."""

    name: str
    state: str
    pod: str
    error: str


@dataclass(frozen=True)
class Run:
    """A run as the server knows it."""

    id: str
    name: str
    state: str
    error: str
    tasks: tuple[Task, ...]

    @property
    def finished(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL


class Server:
    """Talks to one server, through the client that Kubeflow generates from its API."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        settings = kfp_server_api.Configuration(host=config.endpoint.rstrip("/"))
        settings.retries = urllib3.Retry(2, allowed_methods=["GET"], backoff_factor=0.2)
        if token := os.environ.get(config.token_env):
            settings.api_key = {"authorization": token}
            settings.api_key_prefix = {"authorization": "Bearer"}
        self._api = kfp_server_api.ApiClient(settings)
        self._runs = kfp_server_api.RunServiceApi(self._api)
        self._experiments = kfp_server_api.ExperimentServiceApi(self._api)

    def submit(
        self, spec: Mapping[str, Any], arguments: Mapping[str, Any], *, name: str, experiment: str
    ) -> Run:
        """Start a run of a compiled spec.

        Raises:
            InvalidInput: the server refuses the spec or an argument.
            Unavailable, Unauthenticated, PermissionDenied: it does not answer, or not to us.

        """
        run = kfp_server_api.V2beta1Run(
            display_name=name,
            experiment_id=self._experiment(experiment),
            pipeline_spec=dict(spec),
            runtime_config=kfp_server_api.V2beta1RuntimeConfig(parameters=dict(arguments)),
        )
        with self._errors():
            made = self._runs.run_service_create_run(run, _request_timeout=self._config.timeout_s)
        return _run(made)

    def look(self, run_id: str) -> Run:
        """The run as it is now."""
        with self._errors(f"there is no run {run_id!r} at {self._config.endpoint}"):
            return _run(
                self._runs.run_service_get_run(run_id, _request_timeout=self._config.timeout_s)
            )

    def cancel(self, run_id: str) -> Run:
        """Stop a run; its pods are stopped by the server. One that has finished stays as it is."""
        run = self.look(run_id)
        if run.finished:
            return run
        with self._errors():
            self._runs.run_service_terminate_run(run_id, _request_timeout=self._config.timeout_s)
        return self.look(run_id)

    def logs(self, run_id: str, pod: str) -> Iterator[str]:
        """The log of a step's pod, as far as the server can still read it."""
        path = f"/apis/v1alpha1/runs/{quote(run_id)}/nodes/{quote(pod)}/log"
        with self._errors(f"the log of {pod} is gone (its pod was deleted)"):
            response = self._api.request(
                "GET",
                self._config.endpoint.rstrip("/") + path,
                headers=self._headers(),
                _preload_content=False,
                _request_timeout=self._config.timeout_s,
            )
            yield from (piece.decode(errors="replace") for piece in response.stream(2**16))

    def _headers(self) -> dict[str, str]:
        token = self._api.configuration.get_api_key_with_prefix("authorization")
        return {"authorization": token} if token else {}

    def _experiment(self, name: str) -> str:
        """Id of the experiment, made when it is not there."""
        predicate = {"operation": "EQUALS", "key": "name", "stringValue": name}
        with self._errors():
            found = self._experiments.experiment_service_list_experiments(
                filter=json.dumps({"predicates": [predicate]}),
                namespace=self._config.namespace,
                _request_timeout=self._config.timeout_s,
            )
            if found.experiments:
                return str(found.experiments[0].experiment_id)
            made = self._experiments.experiment_service_create_experiment(
                kfp_server_api.V2beta1Experiment(
                    display_name=name, namespace=self._config.namespace or None
                ),
                _request_timeout=self._config.timeout_s,
            )
        return str(made.experiment_id)

    @contextmanager
    def _errors(self, not_found: str = "") -> Iterator[None]:
        """The server's answers and its silence as Omnireel's errors."""
        where = self._config.endpoint
        try:
            yield
        except kfp_server_api.ApiException as error:
            raise _error(error, where, not_found, self._config.token_env) from error
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(
                f"no Kubeflow Pipelines server answers at {where}; check --endpoint"
            ) from error


def _error(error: Any, where: str, not_found: str, token_env: str) -> OmnireelError:
    words = " ".join(str(error.body or error.reason).split())[:300]
    match error.status:
        case 400:
            return InvalidInput(f"{where} refuses it: {words}", field="workflow")
        case 401:
            return Unauthenticated(f"{where} wants a token; put one into ${token_env}")
        case 403:
            return PermissionDenied(f"{where} does not allow it: {words}")
        case 404:
            return NotFound(not_found or f"{where} knows no such thing: {words}")
        case status if status and status >= 500:
            return Unavailable(f"{where} failed: {words}")
    return FailedPrecondition(f"{where} answered {error.status}: {words}")


def _run(found: Any) -> Run:
    details = found.run_details.task_details if found.run_details else None
    return Run(
        id=found.run_id,
        name=found.display_name or "",
        state=found.state or "PENDING",
        error=found.error.message or "" if found.error else "",
        tasks=tuple(_task(task) for task in details or ()),
    )


def _task(found: Any) -> Task:
    pods = [child.pod_name for child in found.child_tasks or () if child.pod_name]
    return Task(
        name=found.display_name or found.task_id,
        state=found.state or "PENDING",
        pod=found.pod_name or (pods[-1] if pods else ""),
        error=found.error.message or "" if found.error else "",
    )
