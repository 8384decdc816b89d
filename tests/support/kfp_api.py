"""Answers of a Kubeflow Pipelines API server (v2beta1) over real HTTP; it runs nothing.

The shapes are those of kfp-server-api's models. A run goes on by one state with every look at it:
``Script.states``. It is no Kubeflow Pipelines: what a server makes of a spec is not tested with it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

RUN = re.compile(r"/apis/v2beta1/runs/([^/:]+)(:terminate)?$")
LOG = re.compile(r"/apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log$")


@dataclass
class Script:
    """How the server behaves."""

    states: list[str] = field(default_factory=lambda: ["PENDING", "RUNNING", "SUCCEEDED"])
    token: str = ""
    refuse_runs: str = ""
    """Answer 400 with these words to a new run."""
    logs: dict[str, str] = field(default_factory=lambda: {"pod-1": "step 1 of 3\nstep 2 of 3\n"})


@dataclass
class Seen:
    """What reached the server."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    experiments: list[str] = field(default_factory=list)
    terminated: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@dataclass
class KfpApi:
    """A running server and what it has seen."""

    endpoint: str
    script: Script
    seen: Seen


@contextmanager
def kfp_api(script: Script | None = None) -> Iterator[KfpApi]:
    """A server on a free loopback port until the block ends."""
    script, seen = script or Script(), Seen()
    looks: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.paths.append(self.path)
            parts = urlsplit(self.path)
            if not self._known():
                return
            if parts.path == "/apis/v2beta1/experiments":
                wanted = json.loads(parse_qs(parts.query)["filter"][0])["predicates"][0]
                found = [n for n in seen.experiments if n == wanted["stringValue"]]
                self._json({"experiments": [_experiment(name) for name in found]})
            elif match := RUN.match(parts.path):
                run_id = match[1]
                if run_id != "run-1":
                    self._error(404, f"Run {run_id} not found")
                    return
                number = looks.get(run_id, 0)
                looks[run_id] = number + 1
                state = script.states[min(number, len(script.states) - 1)]
                self._json(_run("CANCELED" if seen.terminated else state))
            elif match := LOG.match(parts.path):
                if match[2] not in script.logs:
                    self._error(404, "pods not found")
                    return
                self._send(200, script.logs[match[2]].encode(), "text/plain")
            else:
                self._error(404, "Not Found")

        def do_POST(self) -> None:
            seen.paths.append(self.path)
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            if not self._known():
                return
            match = RUN.match(self.path)
            if self.path == "/apis/v2beta1/experiments":
                seen.experiments.append(body["display_name"])
                self._json(_experiment(body["display_name"]))
            elif self.path == "/apis/v2beta1/runs":
                if script.refuse_runs:
                    self._error(400, script.refuse_runs)
                    return
                seen.runs.append(body)
                self._json({**_run("PENDING"), "display_name": body["display_name"]})
            elif match and match[2]:
                seen.terminated.append(match[1])
                self._json({})
            else:
                self._error(404, "Not Found")

        def _known(self) -> bool:
            if script.token and self.headers.get("Authorization") != f"Bearer {script.token}":
                self._error(401, "Unauthenticated")
                return False
            return True

        def _json(self, data: dict[str, Any]) -> None:
            self._send(200, json.dumps(data).encode(), "application/json")

        def _error(self, status: int, message: str) -> None:
            body = json.dumps({"code": 3, "message": message, "details": []}).encode()
            self._send(status, body, "application/json")

        def _send(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield KfpApi(f"http://127.0.0.1:{server.server_port}", script, seen)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _experiment(name: str) -> dict[str, Any]:
    return {"experiment_id": f"experiment-{name}", "display_name": name}


def _run(state: str) -> dict[str, Any]:
    tasks = [
        {
            "run_id": "run-1",
            "task_id": "task-1",
            "display_name": "clips",
            "create_time": "2026-11-25T10:00:00Z",
            "state": state,
            "child_tasks": [{"pod_name": "pod-1"}],
        }
    ]
    run: dict[str, Any] = {
        "run_id": "run-1",
        "experiment_id": "experiment-omnireel",
        "display_name": "train_ladder",
        "created_at": "2026-11-25T10:00:00Z",
        "state": state,
        "run_details": {"task_details": [] if state == "PENDING" else tasks},
    }
    if state == "FAILED":
        run["error"] = {"code": 13, "message": "step clips failed"}
    return run
