"""A classifier behind HTTP: JSON with base64 PNGs there, a verdict back."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field

import urllib3

from omnireel.media import write_png
from services.common.safety.classifier import Subject, Verdict

_MAX_ANSWER_BYTES = 64 << 10


@dataclass(frozen=True)
class RemoteClassifier:
    """``POST url`` with ``{"kind", "tenant", "text", "images"}``; the answer is
    ``{"allowed": true}`` or ``{"allowed": false, "reason": "..."}``.
    """

    url: str
    timeout_s: float
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def __call__(self, subject: Subject) -> Verdict:
        """Ask. Raises whatever goes wrong: no answer is no permission."""
        images = [base64.b64encode(write_png(frame)).decode() for frame in subject.frames]
        body = json.dumps(
            {
                "kind": subject.kind,
                "tenant": subject.tenant,
                "text": subject.text,
                "images": images,
            }
        )
        answer = self.pool.request(
            "POST",
            self.url,
            body=body,
            headers={"Content-Type": "application/json"},
            timeout=self.timeout_s,
            redirect=False,
            preload_content=False,
        )
        try:
            data = answer.read(_MAX_ANSWER_BYTES)
        finally:
            answer.release_conn()
        if answer.status != 200:
            raise ValueError(f"the classifier answered with HTTP {answer.status}")
        said = json.loads(data)
        if not isinstance(said, dict) or not isinstance(said.get("allowed"), bool):
            raise ValueError("the classifier's answer has no 'allowed' of true or false")
        return Verdict(said["allowed"], str(said.get("reason", ""))[:300])
