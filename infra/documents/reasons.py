"""Reasons of errors that a client can meet, with their codes and meanings."""

from __future__ import annotations

from typing import NamedTuple

from google.rpc import code_pb2

from services.gateway.http.errors import HTTP_CODES


class Reason(NamedTuple):
    """One stable reason: the code that it comes with and what a client should do."""

    name: str
    code: str
    meaning: str

    @property
    def http(self) -> int:
        """The HTTP status of its code."""
        return HTTP_CODES.get(code_pb2.Code.Value(self.code), 500)


# fmt: off
REASONS = tuple(Reason(*row) for row in (
    ("INVALID_INPUT", "INVALID_ARGUMENT",
     "The request is wrong; the details name each field. Change it."),
    ("PROMPT_SYNTAX", "INVALID_ARGUMENT",
     "The prompt's text is wrong; `metadata.position` is the character, counted from 0."),
    ("SAFETY_REFUSED", "INVALID_ARGUMENT", "The safety policy refused the request."),
    ("SAFETY_REFUSED", "FAILED_PRECONDITION",
     "The safety policy refused the result, and it was removed."),
    ("UNAUTHENTICATED", "UNAUTHENTICATED", "No key or token, or one that is not valid."),
    ("PERMISSION_DENIED", "PERMISSION_DENIED", "The caller is known and may not do this."),
    ("NOT_FOUND", "NOT_FOUND", "It does not exist, was deleted, or belongs to another tenant."),
    ("MODEL_NOT_FOUND", "NOT_FOUND", "`/v1`: no model of this name is served."),
    ("ALREADY_EXISTS", "ALREADY_EXISTS", "The name is taken."),
    ("REQUEST_ID_REUSED", "ALREADY_EXISTS",
     "The request id (HTTP: `Idempotency-Key`) was used for another request; use a new one."),
    ("FAILED_PRECONDITION", "FAILED_PRECONDITION", "The state does not allow this call."),
    ("JOB_NOT_FINISHED", "FAILED_PRECONDITION",
     "The video has not ended; cancel it or wait, then repeat the call."),
    ("VIDEO_NOT_READY", "FAILED_PRECONDITION", "`/v1`: there is no content to download yet."),
    ("IN_USE", "FAILED_PRECONDITION", "An unfinished video reads this upload; try again after it."),
    ("NO_UPLOAD", "FAILED_PRECONDITION",
     "The media is part of a video, not an upload; delete the video."),
    ("MODEL_VERSION_NOT_SERVED", "FAILED_PRECONDITION",
     "The request pins a model version that is not served."),
    ("MODEL_VERSION_MISMATCH", "FAILED_PRECONDITION",
     "The job pinned a version that was replaced meanwhile; submit it again."),
    ("RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED", "A limit is reached; try again later."),
    ("QUEUE_FULL", "RESOURCE_EXHAUSTED", "The queue of the installation is full; try later."),
    ("TENANT_QUEUE_FULL", "RESOURCE_EXHAUSTED", "The tenant has too many waiting jobs."),
    ("DAILY_QUOTA", "RESOURCE_EXHAUSTED", "The tenant has used its seconds of video for today."),
    ("STORAGE_FULL", "RESOURCE_EXHAUSTED", "The tenant's storage is full; delete videos."),
    ("OUT_OF_MEMORY", "RESOURCE_EXHAUSTED",
     "The job does not fit into the device's memory; make the named field smaller."),
    ("UNAVAILABLE", "UNAVAILABLE", "Something it depends on is down; retry."),
    ("DATABASE_AWAY", "UNAVAILABLE", "The job database does not answer; retry."),
    ("ISSUER_AWAY", "UNAVAILABLE", "The OIDC issuer does not give its keys; retry."),
    ("SAFETY_UNAVAILABLE", "UNAVAILABLE", "The safety classifier does not answer; retry."),
    ("LOADING", "UNAVAILABLE", "A model service is still loading its weights; retry."),
    ("STOPPING", "UNAVAILABLE", "The service is shutting down; retry."),
    ("PREEMPTED", "UNAVAILABLE", "The work was handed to another worker; nothing to do."),
    ("DEVICE_BROKEN", "UNAVAILABLE",
     "A device failed and its service restarts; the job is tried again."),
    ("WORKER_LOST", "ABORTED", "The worker was lost in every attempt; submit the job again."),
    ("CANCELLED", "CANCELLED", "The work was cancelled on request."),
    ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "The deadline passed before the work was done."),
    ("INTEGRITY", "DATA_LOSS", "Stored bytes do not match their recorded hash."),
    ("INTERNAL", "INTERNAL", "A fault of the server; its log has the error id of the message."),
))
WARNINGS = (
    ("PROMPT_CUT", "The prompt is longer than the model reads; the rest was ignored."),
    ("INPUT_CUT", "A video is longer than the result; only its beginning was used."),
    ("INPUT_CROPPED", "Only the middle of a picture or video was used."),
    ("SOUND_DROPPED", "The input video has sound; the result has none."),
)
NOT_FOR_CLIENTS = frozenset({
    "ADDRESS_IN_USE", "ALREADY_RUNNING", "C2PA_MISSING", "LEASE_LOST", "NOT_RUNNING", "NO_DATABASE",
    "SCHEMA_OUTDATED", "SETTING_OVERRIDDEN", "STACK_BUSY", "START_FAILED",
})
# fmt: on
"""Reasons of services that do not start and of the commands of an installation's owner."""
