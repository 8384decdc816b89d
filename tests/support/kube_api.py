"""A small Kubernetes API server over real HTTP: TrainJobs, pods, logs, Deployments in memory.

It stores objects and plays a script; it is no Kubernetes, and there is no Trainer behind it. The
test advances a job by hand (``api.set_state``), so nothing depends on time.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

JOBS = re.compile(r"/apis/trainer.kubeflow.org/v1alpha1/namespaces/([^/]+)/trainjobs(?:/([^/]+))?$")
PODS = re.compile(r"/api/v1/namespaces/([^/]+)/pods(?:/([^/]+?))?(/log)?$")
DEPLOYMENTS = re.compile(r"/apis/apps/v1/namespaces/([^/]+)/deployments/([^/]+)$")
AT = "2026-11-25T10:00:00Z"


@dataclass
class KubeApi:
    """What the server holds, and what it was asked to change."""

    address: str
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    deployments: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Rolled out at once, unless ``stuck``."""
    stuck: bool = False
    outage: int = 0
    """So many of the next looks at a Deployment are answered with 503."""
    logs: dict[str, list[str]] = field(default_factory=dict)
    created: list[dict[str, Any]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    installed: bool = True
    """Whether the cluster knows TrainJobs."""
    refuse: str = ""
    """Answer 422 with these words to a new job."""
    lingering: int = 0
    """Times that the pods of a deleted job are still listed."""
    script: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """``(condition, more status)`` that the next looks at a job find, one each."""

    def set_state(self, name: str, condition: str, **status: Any) -> None:
        """Give a job one true condition ("" for none) and more of its status."""
        found = [{"type": condition, "status": "True", "lastTransitionTime": AT, "message": "so"}]
        self.jobs[name]["status"] = {"conditions": found if condition else [], **status}

    def add_pod(self, name: str, job: str = "", phase: str = "Running") -> None:
        """A pod, of a job's first node if one is named."""
        labels = {"jobset.sigs.k8s.io/jobset-name": job} if job else {}
        labels["batch.kubernetes.io/job-completion-index"] = "0"
        self.pods[name] = {
            "metadata": {"name": name, "labels": labels, "creationTimestamp": AT},
            "status": {"phase": phase},
        }

    def end_pods(self) -> None:
        """As the cluster does with pods whose job is gone."""
        of_job = "jobset.sigs.k8s.io/jobset-name"
        labels = {name: pod["metadata"]["labels"].get(of_job) for name, pod in self.pods.items()}
        self.pods = {n: p for n, p in self.pods.items() if labels[n] in (None, *self.jobs)}

    def add_deployment(self, name: str, component: str) -> None:
        """One of two replicas that serve what their chart says."""
        self.deployments[name] = {
            "metadata": {
                "name": name, "generation": 1, "annotations": {},
                "labels": {"app.kubernetes.io/component": component},
            },
            "spec": {
                "replicas": 2, "selector": {"matchLabels": {"a": "b"}},
                "template": {"spec": {"containers": [{"name": component, "env": []}]}},
            },
            "status": _rolled_out(1),
        }  # fmt: skip

    def weights_of(self, name: str) -> dict[str, str]:
        """The environment of a Deployment's container."""
        spec = self.deployments[name]["spec"]["template"]["spec"]
        return {entry["name"]: entry["value"] for entry in spec["containers"][0]["env"]}

    def patch(self, name: str, body: dict[str, Any]) -> None:
        """What the patches of the rollout mean: notes, and one variable put or taken out."""
        found = self.deployments[name]
        for key, value in body["metadata"]["annotations"].items():
            found["metadata"]["annotations"][key] = value
        notes = found["metadata"]["annotations"]
        found["metadata"]["annotations"] = {k: v for k, v in notes.items() if v is not None}
        container = found["spec"]["template"]["spec"]["containers"][0]
        (change,) = body["spec"]["template"]["spec"]["containers"]
        assert change["name"] == container["name"]
        (variable,) = change["env"]
        rest = [entry for entry in container["env"] if entry["name"] != variable["name"]]
        container["env"] = rest if "$patch" in variable else [*rest, variable]
        found["metadata"]["generation"] += 1
        if not self.stuck:
            found["status"] = _rolled_out(found["metadata"]["generation"])

    def kubeconfig(self, folder: Path) -> Path:
        """A configuration file that leads here."""
        cluster = {"name": "here", "cluster": {"server": self.address}}
        context = {"cluster": "here", "user": "me", "namespace": "training"}
        path = folder / "kubeconfig"
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1", "kind": "Config", "current-context": "here",
                    "clusters": [cluster], "users": [{"name": "me", "user": {"token": "t"}}],
                    "contexts": [{"name": "here", "context": context}],
                }
            )
        )  # fmt: skip
        return path


@contextmanager
def kube_api() -> Iterator[KubeApi]:
    """A server on a free loopback port until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    api = KubeApi(f"http://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = _handler(api)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(api: KubeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            if match := JOBS.match(parts.path):
                self._job(match[2], query)
            elif match := PODS.match(parts.path):
                self._pod(match[2], bool(match[3]), query)
            elif match := DEPLOYMENTS.match(parts.path):
                self._deployment(match[2])
            else:
                self._text(404, "404 page not found")

        def _job(self, name: str | None, query: dict[str, list[str]]) -> None:
            if not api.installed:
                self._text(404, "404 page not found")
            elif name is None:
                self._json(200, {"items": _selected(api.jobs, query)})
            elif name in api.jobs:
                if api.script:
                    condition, status = api.script.pop(0)
                    api.set_state(name, condition, **status)
                self._json(200, api.jobs[name])
            else:
                self._status(404, f"trainjobs {name} not found")

        def _pod(self, name: str | None, log: bool, query: dict[str, list[str]]) -> None:
            if name is None:
                self._json(200, {"kind": "PodList", "items": _selected(api.pods, query)})
                api.lingering -= 1
                if api.lingering <= 0:
                    api.end_pods()
            elif name not in api.pods:
                self._status(404, f"pods {name} not found")
            elif log:
                lines = [f"2026-11-25T10:00:{n:02}.000Z {t}" for n, t in enumerate(api.logs[name])]
                self._text(200, "\n".join(lines) + "\n")
            else:
                self._json(200, api.pods[name])

        def _deployment(self, name: str) -> None:
            if api.outage:
                api.outage -= 1
                self._status(503, "the API is starting")
            elif name in api.deployments:
                self._json(200, api.deployments[name])
            else:
                self._status(404, f"deployments {name} not found")

        def do_PATCH(self) -> None:
            match = DEPLOYMENTS.match(urlsplit(self.path).path)
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert match is not None
            assert self.headers["Content-Type"] == "application/strategic-merge-patch+json"
            api.patch(match[2], body)
            self._deployment(match[2])

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not api.installed:
                self._text(404, "404 page not found")
                return
            name = body["metadata"]["name"]
            if api.refuse:
                self._status(422, api.refuse)
            elif name in api.jobs:
                self._status(409, f"trainjobs {name} already exists")
            else:
                api.created.append(body)
                api.jobs[name] = json.loads(json.dumps(body))
                self._json(201, body)

        def do_DELETE(self) -> None:
            match = JOBS.match(urlsplit(self.path).path)
            if match and api.jobs.pop(match[2], None):
                api.deleted.append(match[2])
                if not api.lingering:
                    api.end_pods()
                self._json(200, {"kind": "Status", "status": "Success"})
            else:
                self._status(404, "not found")

        def _status(self, code: int, message: str) -> None:
            self._json(code, {"kind": "Status", "code": code, "message": message})

        def _json(self, code: int, data: dict[str, Any]) -> None:
            self._send(code, json.dumps(data), "application/json")

        def _text(self, code: int, text: str) -> None:
            self._send(code, text, "text/plain")

        def _send(self, code: int, text: str, kind: str) -> None:
            body = text.encode()
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _rolled_out(generation: int) -> dict[str, int]:
    replicas = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
    return {"observedGeneration": generation, **replicas}


def _selected(
    objects: dict[str, dict[str, Any]], query: dict[str, list[str]]
) -> list[dict[str, Any]]:
    wanted = dict(
        part.split("=") for part in query.get("labelSelector", [""])[0].split(",") if part
    )
    return [
        found
        for found in objects.values()
        if wanted.items() <= found["metadata"].get("labels", {}).items()
    ]
