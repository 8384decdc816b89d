"""The one exception tree of Omnireel.

::

    OmnireelError
    ├── InvalidInput            the caller must change the request (carries field violations)
    │   └── PromptSyntaxError   ... and the mistake has a position in the prompt text
    ├── Unauthenticated         nobody knows who calls
    ├── PermissionDenied        the caller is known and may not do this
    ├── NotFound                the named thing does not exist (any more)
    ├── AlreadyExists           a name or request id is taken by something else
    ├── FailedPrecondition      the system is not in the state that the call needs
    ├── ResourceExhausted       a quota, a queue or a disk is full; retrying later may help
    ├── Unavailable             a dependency is down; retrying helps
    ├── Cancelled               the work was cancelled on request
    ├── DeadlineExceeded        the deadline passed before the work was done
    └── IntegrityError          bytes do not match their recorded hash (tampered or truncated)

Library code raises these; exactly one interceptor turns them into gRPC status codes and the
command line prints them as one line.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FieldViolation:
    """One wrong field: its dotted path in the request and what to do about it."""

    field: str
    description: str


class OmnireelError(Exception):
    """Base class. ``reason`` is a stable UPPER_SNAKE_CASE code for machines."""

    reason = "INTERNAL"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if reason is not None:
            self.reason = reason


class InvalidInput(OmnireelError):
    """The caller must change the request."""

    reason = "INVALID_INPUT"

    def __init__(
        self, message: str, *, field: str = "", violations: tuple[FieldViolation, ...] = ()
    ) -> None:
        super().__init__(message)
        self.violations = violations or ((FieldViolation(field, message),) if field else ())


class PromptSyntaxError(InvalidInput):
    """A mistake at ``position`` (0-based character offset) of the prompt text."""

    reason = "PROMPT_SYNTAX"

    def __init__(self, message: str, *, position: int, field: str = "prompt") -> None:
        super().__init__(f"{message} (at character {position})", field=field)
        self.position = position


class Unauthenticated(OmnireelError):
    """Nobody knows who calls: no credential, or one that is not valid."""

    reason = "UNAUTHENTICATED"


class PermissionDenied(OmnireelError):
    """The caller is known and may not do this."""

    reason = "PERMISSION_DENIED"


class NotFound(OmnireelError):
    """The named thing does not exist (any more)."""

    reason = "NOT_FOUND"


class AlreadyExists(OmnireelError):
    """A name or request id is taken by something else."""

    reason = "ALREADY_EXISTS"


class FailedPrecondition(OmnireelError):
    """The system is not in the state that the call needs."""

    reason = "FAILED_PRECONDITION"


class ResourceExhausted(OmnireelError):
    """A quota, a queue or a disk is full. ``retry_after_s`` is a hint in seconds."""

    reason = "RESOURCE_EXHAUSTED"

    def __init__(
        self, message: str, *, reason: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, reason=reason)
        self.retry_after_s = retry_after_s


class Unavailable(OmnireelError):
    """A dependency is down; retrying after ``retry_after_s`` seconds helps."""

    reason = "UNAVAILABLE"

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Cancelled(OmnireelError):
    """The work was cancelled on request."""

    reason = "CANCELLED"


class DeadlineExceeded(OmnireelError):
    """The deadline passed before the work was done."""

    reason = "DEADLINE_EXCEEDED"


class IntegrityError(OmnireelError):
    """Bytes do not match their recorded hash."""

    reason = "INTEGRITY"
