"""Run the generator service: ``python -m services.generator.main``."""

from __future__ import annotations

from collections.abc import Callable

from omnireel.api.v1.generator_pb2_grpc import add_GeneratorServiceServicer_to_server
from omnireel.store import open_store
from services.common.device_gate import DeviceGate
from services.common.model_host import ModelHost
from services.common.model_server import run_model_service
from services.common.running import RunningCalls
from services.common.sandbox import MediaSandbox
from services.common.server import Registration, run_main
from services.common.settings import load_settings
from services.generator.engine import GeneratorEngine, PipelineEngine
from services.generator.servicer import GeneratorServicer
from services.generator.settings import GeneratorSettings
from services.generator.stage import GenerateStage

SERVICE = "omnireel.api.v1.GeneratorService"


def register(
    settings: GeneratorSettings, host: ModelHost[GeneratorEngine], gate: DeviceGate
) -> Registration:
    """The service on its store and device."""
    stage = GenerateStage(
        open_store(settings.store_url),
        gate,
        MediaSandbox(),
        settings.checkpoint_every_steps,
    )
    running = RunningCalls()
    servicer = GeneratorServicer(host, stage, running)
    return Registration(
        SERVICE,
        lambda server: add_GeneratorServiceServicer_to_server(servicer, server),
        running.preempt_all,
    )


def main(
    load_engine: Callable[[GeneratorSettings], GeneratorEngine] = PipelineEngine.load,
) -> int:
    """Serve until a signal."""
    return run_model_service("generator", load_settings(GeneratorSettings), load_engine, register)


if __name__ == "__main__":
    run_main(main)
