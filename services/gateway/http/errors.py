"""What went wrong, as an HTTP answer: ``google.rpc.Status`` as JSON, or OpenAI's form in ``/v1``.

The code and details are those that the same mistake has over gRPC
(:mod:`services.common.status`); this module only dresses them for HTTP.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from google.protobuf import json_format
from google.rpc import code_pb2, status_pb2
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from omnireel.errors import FieldViolation, InvalidInput, NotFound, OmnireelError
from services.common.logs import get_logger
from services.common.status import new_error_id, status_from_error

log = get_logger(__name__)

COMPAT_PREFIX = "/v1/"

# https://cloud.google.com/apis/design/errors
HTTP_CODES = {
    code_pb2.CANCELLED: 499,
    code_pb2.INVALID_ARGUMENT: 400,
    code_pb2.FAILED_PRECONDITION: 400,
    code_pb2.OUT_OF_RANGE: 400,
    code_pb2.UNAUTHENTICATED: 401,
    code_pb2.PERMISSION_DENIED: 403,
    code_pb2.NOT_FOUND: 404,
    code_pb2.ALREADY_EXISTS: 409,
    code_pb2.ABORTED: 409,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.UNIMPLEMENTED: 501,
    code_pb2.UNAVAILABLE: 503,
    code_pb2.DEADLINE_EXCEEDED: 504,
}
OPENAI_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}


class HttpProblem(InvalidInput):
    """A mistake that exists in HTTP only, with the code that HTTP has for it."""

    def __init__(
        self,
        http_code: HTTPStatus,
        message: str,
        *,
        field: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, field=field)
        self.http_code = http_code
        self.headers = headers or {}
        self.reason = http_code.name


def install_error_handlers(app: FastAPI) -> None:
    """Make every failure of ``app`` an answer of this module."""
    app.add_exception_handler(OmnireelError, _handler(lambda error: error))
    app.add_exception_handler(RequestValidationError, _handler(_from_validation))
    app.add_exception_handler(HTTPException, _handler(_from_routing))
    app.add_middleware(LastResort)


class LastResort:
    """ASGI middleware: a bug becomes an answer too, and costs the client no connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; an answer that has begun can only be cut off."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            await error_answer(Request(scope), error)(scope, receive, send)


def error_answer(request: Request, error: BaseException) -> Response:
    """The answer for ``error`` at the place where ``request`` was."""
    known = isinstance(error, OmnireelError) and type(error) is not OmnireelError
    error_id = "" if known else new_error_id()
    status = status_from_error(error, error_id=error_id)
    problem = error if isinstance(error, HttpProblem) else None
    http_code = int(problem.http_code if problem else HTTP_CODES.get(status.code, 500))
    where = {"method": request.method, "path": request.url.path}
    if known:
        log.warning("request failed", code=http_code, error=str(error), **where)
    else:
        log.error("request broke", error_id=error_id, exc_info=error, **where)
    headers = {"Cache-Control": "no-store"}
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        headers["Retry-After"] = str(max(math.ceil(retry_after_s), 1))
    if http_code == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if problem is not None:
        headers |= problem.headers
    compat = request.url.path.startswith(COMPAT_PREFIX)
    body = _openai_body(status, error, http_code) if compat else status_body(status)
    return JSONResponse(body, http_code, headers)


def status_body(status: status_pb2.Status) -> dict[str, Any]:
    """``google.rpc.Status`` in protobuf's JSON mapping."""
    body: dict[str, Any] = json_format.MessageToDict(status, preserving_proto_field_name=True)
    return body


def _openai_body(status: status_pb2.Status, error: BaseException, http_code: int) -> dict[str, Any]:
    violations = error.violations if isinstance(error, InvalidInput) else ()
    reason = error.reason if isinstance(error, OmnireelError) else "INTERNAL"
    usual = "invalid_request_error" if http_code < 500 else "server_error"
    return {
        "error": {
            "message": status.message,
            "type": OPENAI_TYPES.get(http_code, usual),
            "param": violations[0].field if violations else None,
            "code": reason.lower(),
        }
    }


def _handler(
    convert: Callable[[Any], BaseException],
) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        return error_answer(request, convert(error))

    return handle


def _from_validation(error: RequestValidationError) -> InvalidInput:
    """A query or path parameter that is not what the route declares."""
    violations = tuple(
        FieldViolation(str(item["loc"][-1]), str(item["msg"])) for item in error.errors()
    )
    text = "; ".join(f"{v.field}: {v.description}" for v in violations)
    return InvalidInput(text, violations=violations)


def _from_routing(error: HTTPException) -> OmnireelError:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NotFound("there is nothing at this address; see /docs")
    return HttpProblem(HTTPStatus(error.status_code), str(error.detail), headers=error.headers)
