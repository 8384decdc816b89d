"""What is sent: a small event, and a signature that proves who sent it and when."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

from services.common.jobs import JobState
from services.common.jobs.webhooks import DueWebhook
from services.gateway.signing_key import SigningKey

TYPES = {
    JobState.SUCCEEDED: "video.completed",
    JobState.FAILED: "video.failed",
    JobState.CANCELLED: "video.failed",
}


@dataclass(frozen=True)
class Message:
    """A body with its headers."""

    body: bytes
    headers: dict[str, str]


def secret_of(key: SigningKey, tenant: str) -> bytes:
    """What messages to ``tenant`` are signed with."""
    return key.derive("webhook", tenant)


def secret_text(secret: bytes) -> str:
    """The form that libraries take a secret in."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def make_message(due: DueWebhook, secret: bytes, now: float) -> Message:
    """The event, signed for this moment."""
    state = JobState(due.state)
    event = {
        "id": due.event_id,
        "object": "event",
        "type": TYPES[state],
        "created_at": int(due.finished_at),
        "data": {"id": due.job_id, "state": f"VIDEO_STATE_{state.value}"},
    }
    body = json.dumps(event, separators=(",", ":")).encode()
    timestamp = str(int(now))
    signed = b".".join((due.event_id.encode(), timestamp.encode(), body))
    signature = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "omnireel-webhooks",
        "Webhook-Id": due.event_id,
        "Webhook-Timestamp": timestamp,
        "Webhook-Signature": f"v1,{signature}",
    }
    return Message(body, headers)
