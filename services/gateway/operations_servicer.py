"""``google.longrunning.Operations`` over the same jobs: convert, call, convert."""

# ruff: noqa: N802 - the methods have the names of the rpcs
from __future__ import annotations

from typing import Any

from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import empty_pb2

from omnireel.errors import InvalidInput
from services.gateway.caller import caller_of
from services.gateway.convert import id_of
from services.gateway.videos import Videos
from services.gateway.watch import Watcher

MAX_WAIT_S = 60.0


class OperationsServicer(operations_pb2_grpc.OperationsServicer):  # type: ignore[misc]
    """``operations/{id}`` makes ``videos/{id}``."""

    def __init__(self, videos: Videos, watcher: Watcher) -> None:
        self._videos = videos
        self._watcher = watcher

    def GetOperation(
        self, request: operations_pb2.GetOperationRequest, context: Any
    ) -> operations_pb2.Operation:
        """One operation."""
        job_id = id_of(request.name, "operations")
        job = self._videos.get(caller_of(context), job_id, operation=True)
        return self._videos.describe_operation(job)

    def ListOperations(
        self, request: operations_pb2.ListOperationsRequest, context: Any
    ) -> operations_pb2.ListOperationsResponse:
        """A page of operations."""
        if request.name not in ("", "operations"):
            raise InvalidInput("the only collection is 'operations'", field="name")
        if request.filter:
            raise InvalidInput(
                "operations have no filters; ListVideos filters by state and label", field="filter"
            )
        return self._videos.list_operations(
            caller_of(context), request.page_size, request.page_token
        )

    def CancelOperation(
        self, request: operations_pb2.CancelOperationRequest, context: Any
    ) -> empty_pb2.Empty:
        """Ask the work to stop."""
        job_id = id_of(request.name, "operations")
        self._videos.cancel(caller_of(context), job_id, operation=True)
        return empty_pb2.Empty()

    def DeleteOperation(
        self, request: operations_pb2.DeleteOperationRequest, context: Any
    ) -> empty_pb2.Empty:
        """Forget the operation; neither stops the work nor deletes the video."""
        self._videos.forget_operation(caller_of(context), id_of(request.name, "operations"))
        return empty_pb2.Empty()

    def WaitOperation(
        self, request: operations_pb2.WaitOperationRequest, context: Any
    ) -> operations_pb2.Operation:
        """The operation when it is done, or as it is when the time is over (60 s at most)."""
        timeout_s = MAX_WAIT_S
        if request.HasField("timeout"):
            timeout_s = min(timeout_s, max(request.timeout.ToNanoseconds() / 1e9, 0.0))
        remaining = context.time_remaining()
        if remaining is not None:
            timeout_s = min(timeout_s, max(remaining - 0.5, 0.0))
        job_id = id_of(request.name, "operations")
        job = self._watcher.wait(caller_of(context), job_id, timeout_s, context.add_callback)
        return self._videos.describe_operation(job)
