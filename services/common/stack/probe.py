"""Asks a service how it is."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVING = "serving"
NOT_SERVING = "not serving"
NO_ANSWER = "no answer"


def health_of(address: str, timeout_s: float = 2.0, service: str = "") -> str:
    """``serving``, ``not serving`` (loading or stopping) or ``no answer``; ``service`` is a name of
    :mod:`services.common.health`, by default readiness."""
    if not address:
        return NO_ANSWER
    options = (("grpc.enable_http_proxy", 0),)
    with grpc.insecure_channel(address, options=options) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=timeout_s)
        except grpc.RpcError:
            return NO_ANSWER
    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
    return SERVING if serving else NOT_SERVING
