"""PromptEnhancerService: convert, call, convert."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from omnireel.api.v1 import capabilities_pb2, prompt_enhancer_pb2, prompt_enhancer_pb2_grpc
from services.common.cancellation import Cancellation
from services.common.convert_generation import check_version, deadline_of, model_info_to_proto
from services.common.convert_mvl import prompt_from_proto
from services.common.model_host import ModelHost
from services.prompt_enhancer.convert import result_response, started_response
from services.prompt_enhancer.engine import PromptEnhancerEngine
from services.prompt_enhancer.stage import EnhanceStage


class PromptEnhancerServicer(prompt_enhancer_pb2_grpc.PromptEnhancerServiceServicer):
    """Serves one enhancer engine."""

    def __init__(self, host: ModelHost[PromptEnhancerEngine], stage: EnhanceStage) -> None:
        self._host = host
        self._stage = stage

    def Enhance(  # noqa: N802
        self, request: prompt_enhancer_pb2.EnhanceRequest, context: grpc.ServicerContext
    ) -> Iterator[prompt_enhancer_pb2.EnhanceResponse]:
        """One progress event, then exactly one result.

        Every back-end decodes greedily, so ``seed`` changes nothing: the same prompt always gives
        the same enhancement.
        """
        engine = self._host.engine()
        check_version(request.model_version, engine.info)
        prompt = prompt_from_proto(request.prompt, engine.info.capabilities.prompt_limits)
        cancellation = Cancellation.of_call(context, deadline_unix_s=deadline_of(request.job))
        yield started_response()
        with cancellation.explained():
            enhanced = self._stage.run(engine, prompt, cancellation)
        yield result_response(enhanced, engine.info.version)

    def GetModelInfo(  # noqa: N802
        self, request: capabilities_pb2.GetModelInfoRequest, context: grpc.ServicerContext
    ) -> capabilities_pb2.ModelInfo:
        """What runs here."""
        return model_info_to_proto(self._host.engine().info)
