"""Objects sent to a real API server, over its plain REST interface."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from infra.cluster.control_plane import ADMINS, Api

Object = dict[str, Any]


class ApiRefused(Exception):
    """What the API server has against an object, in its own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass
class Answer:
    """What came back: the object as it is or would be, and the warnings."""

    object: Object
    warnings: list[str] = field(default_factory=list)


class KubeObjects:
    """Creates, applies and reads objects; each call is one request."""

    def __init__(self, api: Api) -> None:
        self._url = api.config.url
        pair = api.authority.issue("tests", ADMINS)
        self._context = ssl.create_default_context(cafile=str(api.authority.ca))
        self._context.load_cert_chain(pair.cert, pair.key)
        self._known: dict[str, dict[str, tuple[str, bool]]] = {}

    def create(self, each: Object, *, namespace: str = "default", dry: bool = False) -> Answer:
        """Make an object; fields that its kind does not have are errors."""
        path = self._path(each, each["metadata"].get("namespace", namespace))
        return self._ask("POST", path, each, dry=dry)

    def apply(self, each: Object, *, namespace: str = "default", dry: bool = False) -> Answer:
        """Make or change an object as `kubectl apply --server-side` does."""
        path = self._path(each, each["metadata"].get("namespace", namespace))
        path += "/" + each["metadata"]["name"]
        return self._ask("PATCH", path, each, dry=dry, kind="application/apply-patch+yaml")

    def get(self, path: str) -> Object:
        """What is at a path of the API."""
        return self._ask("GET", path).object

    def _path(self, each: Object, namespace: str) -> str:
        version = each["apiVersion"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if each["kind"] not in self._known.get(version, {}):
            found = self.get(root)["resources"]
            self._known[version] = {
                r["kind"]: (r["name"], r["namespaced"]) for r in found if "/" not in r["name"]
            }
        name, namespaced = self._known[version][each["kind"]]
        return f"{root}/namespaces/{namespace}/{name}" if namespaced else f"{root}/{name}"

    def _ask(
        self, method: str, path: str, body: Object | None = None, *,
        dry: bool = False, kind: str = "application/json",
    ) -> Answer:  # fmt: skip
        query = {"fieldValidation": "Strict", "fieldManager": "tests"} if body else {}
        query |= {"dryRun": "All"} if dry else {}
        query |= {"force": "true"} if method == "PATCH" else {}
        request = urllib.request.Request(
            f"{self._url}{path}?{urllib.parse.urlencode(query)}",
            data=json.dumps(body).encode() if body else None,
            method=method,
            headers={"Content-Type": kind},
        )
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=30) as response:
                warnings = response.headers.get_all("Warning") or []
                return Answer(json.load(response), warnings)
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            said = json.loads(text).get("message", text) if text.startswith("{") else text
            raise ApiRefused(error.code, said) from None
