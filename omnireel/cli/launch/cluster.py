"""All that the launcher asks of Kubernetes: TrainJobs, their pods, and logs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnireel.cli.launch.manifest import GROUP, MANAGED_BY, PLURAL, VERSION
from omnireel.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    OmnireelError,
    PermissionDenied,
    Unavailable,
)

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TIMEOUT_S = 30.0
_FIRST_RANK = "batch.kubernetes.io/job-completion-index=0"
_OF_JOB = "jobset.sigs.k8s.io/jobset-name"


def connected() -> tuple[ApiClient, str]:
    """The API and the namespace that we are in, as the pod's service account or as kubectl.

    Raises:
        FailedPrecondition: the client is not installed, or no cluster is configured.

    """
    try:
        from kubernetes import client, config
    except ModuleNotFoundError as error:
        raise FailedPrecondition(
            "submitting jobs needs the Kubernetes client: pip install 'omnireel[kubernetes]'"
        ) from error
    settings = client.Configuration()
    settings.retries = 2
    try:
        if (_SERVICE_ACCOUNT / "token").is_file():
            config.load_incluster_config(client_configuration=settings)
            here = (_SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
        else:
            file = os.environ.get("KUBECONFIG")
            config.load_kube_config(config_file=file, client_configuration=settings)
            context = config.list_kube_config_contexts(config_file=file)[1]["context"]
            here = context.get("namespace", "default")
    except config.ConfigException as error:
        raise FailedPrecondition(
            f"no cluster is configured ({error}); set KUBECONFIG, or train here with "
            "--launcher local"
        ) from error
    return client.ApiClient(settings), os.environ.get("OMNIREEL_NAMESPACE", "") or here


class Cluster:
    """One namespace of one cluster."""

    def __init__(self, api: ApiClient, namespace: str) -> None:
        from kubernetes import client

        self.namespace = namespace
        self._objects = client.CustomObjectsApi(api)
        self._core = client.CoreV1Api(api)

    @classmethod
    def connect(cls, namespace: str = "") -> Cluster:
        """See :func:`connected`."""
        api, here = connected()
        return cls(api, namespace or here)

    def create(self, manifest: dict[str, Any]) -> None:
        """Make a TrainJob.

        Raises:
            AlreadyExists: there is one of that name.
            FailedPrecondition: the cluster knows no TrainJobs.
            InvalidInput: it refuses this one, with its words.

        """
        with kubernetes_errors(f"namespace {self.namespace}"):
            self._objects.create_namespaced_custom_object(
                GROUP, VERSION, self.namespace, PLURAL, manifest, _request_timeout=_TIMEOUT_S
            )

    def get(self, name: str) -> dict[str, Any]:
        """A TrainJob as it is now."""
        with kubernetes_errors(f"job {name}"):
            found: dict[str, Any] = self._objects.get_namespaced_custom_object(
                GROUP, VERSION, self.namespace, PLURAL, name, _request_timeout=_TIMEOUT_S
            )
        return found

    def jobs(self) -> list[dict[str, Any]]:
        """The TrainJobs that this command line made."""
        with kubernetes_errors(f"namespace {self.namespace}"):
            found = self._objects.list_namespaced_custom_object(
                GROUP, VERSION, self.namespace, PLURAL,
                label_selector=f"{MANAGED_BY}=omnireel", _request_timeout=_TIMEOUT_S,
            )  # fmt: skip
        return list(found["items"])

    def delete(self, name: str) -> bool:
        """Delete a TrainJob, after which the cluster ends its pods; False: it was not there.

        (Were it to wait for its pods, the Trainer would begin them again meanwhile.)
        """
        try:
            with kubernetes_errors(f"job {name}"):
                self._objects.delete_namespaced_custom_object(
                    GROUP, VERSION, self.namespace, PLURAL, name,
                    propagation_policy="Background", _request_timeout=_TIMEOUT_S,
                )  # fmt: skip
        except NotFound:
            return False
        return True

    def pod_phase(self, name: str) -> str:
        """``Running``, ``Succeeded``, ...; empty when there is no such pod."""
        try:
            with kubernetes_errors(f"pod {name}"):
                pod = self._core.read_namespaced_pod(
                    name, self.namespace, _request_timeout=_TIMEOUT_S
                )
        except NotFound:
            return ""
        return str(pod.status.phase)

    def has_pods(self, job: str) -> bool:
        """Whether any pod of a job is left, ended or not."""
        with kubernetes_errors(f"job {job}"):
            found = self._core.list_namespaced_pod(
                self.namespace, label_selector=f"{_OF_JOB}={job}", _request_timeout=_TIMEOUT_S
            )
        return bool(found.items)

    def first_pod(self, job: str) -> str:
        """The newest pod of a job's first node; empty when there is none."""
        with kubernetes_errors(f"job {job}"):
            pods = self._core.list_namespaced_pod(
                self.namespace, label_selector=f"{_OF_JOB}={job},{_FIRST_RANK}",
                _request_timeout=_TIMEOUT_S,
            ).items  # fmt: skip
        pods = [pod for pod in pods if pod.status.phase != "Pending"]
        newest = max(pods, key=lambda pod: pod.metadata.creation_timestamp, default=None)
        return str(newest.metadata.name) if newest is not None else ""

    def log(self, pod: str, *, since_s: int | None = None) -> list[str]:
        """Lines of a pod, each after its time; none when its container has not started."""
        given = {} if since_s is None else {"since_seconds": max(1, since_s)}
        try:
            with kubernetes_errors(f"pod {pod}"):
                text = self._core.read_namespaced_pod_log(
                    pod, self.namespace, timestamps=True, _request_timeout=_TIMEOUT_S, **given
                )
        except (NotFound, InvalidInput):
            return []
        return [line for line in str(text).splitlines() if line]


@contextmanager
def kubernetes_errors(what: str) -> Iterator[None]:
    """The cluster's answers and its silence as Omnireel's errors."""
    import urllib3
    from kubernetes.client import ApiException

    try:
        yield
    except ApiException as error:
        raise _error(error, what) from error
    except urllib3.exceptions.HTTPError as error:
        raise Unavailable(f"the Kubernetes API does not answer: {error}") from error


def _error(error: Any, what: str) -> OmnireelError:
    body = str(error.body or error.reason)
    words = " ".join(body.split())[:400]
    if error.status == 404 and "page not found" in body:
        return FailedPrecondition(
            "the cluster knows no TrainJobs; install the Kubeflow Trainer first"
        )
    match error.status:
        case 400 | 422:
            return InvalidInput(f"the cluster refuses {what}: {words}", field="job")
        case 401 | 403:
            return PermissionDenied(f"the cluster does not allow it: {words}")
        case 404:
            return NotFound(f"there is no {what}")
        case 409:
            return AlreadyExists(f"there is a {what} already")
        case status if status and status < 500:
            return FailedPrecondition(f"the cluster answered {status}: {words}")
    return Unavailable(f"the Kubernetes API failed: {words}")
