"""Run the prompt enhancer service: ``python -m services.prompt_enhancer.main``."""

from __future__ import annotations

from collections.abc import Callable

from omnireel.api.v1.prompt_enhancer_pb2_grpc import add_PromptEnhancerServiceServicer_to_server
from omnireel.store import open_store
from services.common.device_gate import DeviceGate
from services.common.model_host import ModelHost
from services.common.model_server import run_model_service
from services.common.sandbox import MediaSandbox
from services.common.server import Registration, run_main
from services.common.settings import load_settings
from services.prompt_enhancer.engine import EnhancerEngine, PromptEnhancerEngine
from services.prompt_enhancer.servicer import PromptEnhancerServicer
from services.prompt_enhancer.settings import PromptEnhancerSettings
from services.prompt_enhancer.stage import EnhanceStage

SERVICE = "omnireel.api.v1.PromptEnhancerService"


def register(
    settings: PromptEnhancerSettings, host: ModelHost[PromptEnhancerEngine], gate: DeviceGate
) -> Registration:
    """The service on its store."""
    stage = EnhanceStage(
        open_store(settings.store_url),
        gate,
        MediaSandbox(),
    )
    servicer = PromptEnhancerServicer(host, stage)
    return Registration(
        SERVICE, lambda server: add_PromptEnhancerServiceServicer_to_server(servicer, server)
    )


def main(
    load_engine: Callable[[PromptEnhancerSettings], PromptEnhancerEngine] = EnhancerEngine.load,
) -> int:
    """Serve until a signal."""
    return run_model_service(
        "prompt_enhancer", load_settings(PromptEnhancerSettings), load_engine, register
    )


if __name__ == "__main__":
    run_main(main)
