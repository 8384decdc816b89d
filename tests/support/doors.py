"""Every way into the gateway, found by asking it: a new one cannot be forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

HEALTH = "grpc.health.v1.Health"
REFLECTION = "grpc.reflection.v1alpha.ServerReflection"


@dataclass(frozen=True)
class Rpc:
    """One method of one service, for calls without its stub."""

    service: str
    name: str
    request: type[Any]
    response: type[Any]
    sends_stream: bool
    answers_stream: bool

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.name}"

    def __str__(self) -> str:
        return f"{self.service.rpartition('.')[2]}.{self.name}"

    def call(self, channel: grpc.Channel, requests: Iterable[Any], key: str = "") -> list[Any]:
        """All messages of the answer; ``key`` is what the caller shows."""
        kind = "_".join(
            "stream" if streams else "unary" for streams in (self.sends_stream, self.answers_stream)
        )
        method = getattr(channel, kind)(
            self.path,
            request_serializer=self.request.SerializeToString,
            response_deserializer=self.response.FromString,
        )
        messages = list(requests)
        metadata = (("authorization", f"Bearer {key}"),) if key else ()
        sent = iter(messages) if self.sends_stream else messages[0]
        answer = method(sent, timeout=20, metadata=metadata)
        return list(answer) if self.answers_stream else [answer]


def every_rpc(channel: grpc.Channel, key: str) -> list[Rpc]:
    """What the server behind ``channel`` serves, as its reflection says; health left out."""
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    metadata = (("authorization", f"Bearer {key}"),)
    (answer,) = stub.ServerReflectionInfo(iter([question]), metadata=metadata)
    pool = descriptor_pool.Default()
    return [
        Rpc(
            service.name,
            method.name,
            message_factory.GetMessageClass(method.input_type),
            message_factory.GetMessageClass(method.output_type),
            method.client_streaming,
            method.server_streaming,
        )
        for service in answer.list_services_response.service
        if service.name != HEALTH
        for method in pool.FindServiceByName(service.name).methods
    ]
