"""Run the super-resolver service: ``python -m services.super_resolver.main``."""

from __future__ import annotations

from collections.abc import Callable

from omnireel.api.v1.super_resolver_pb2_grpc import add_SuperResolverServiceServicer_to_server
from omnireel.store import open_store
from services.common.device_gate import DeviceGate
from services.common.model_host import ModelHost
from services.common.model_server import run_model_service
from services.common.running import RunningCalls
from services.common.sandbox import MediaSandbox
from services.common.server import Registration, run_main
from services.common.settings import load_settings
from services.super_resolver.engine import PipelineEngine, SuperResolverEngine
from services.super_resolver.servicer import SuperResolverServicer
from services.super_resolver.settings import SuperResolverSettings
from services.super_resolver.stage import UpscaleStage

SERVICE = "omnireel.api.v1.SuperResolverService"


def register(
    settings: SuperResolverSettings, host: ModelHost[SuperResolverEngine], gate: DeviceGate
) -> Registration:
    """The service on its store and device."""
    stage = UpscaleStage(
        open_store(settings.store_url),
        gate,
        MediaSandbox(),
        settings.checkpoint_every_steps,
    )
    running = RunningCalls()
    servicer = SuperResolverServicer(host, stage, running)
    return Registration(
        SERVICE,
        lambda server: add_SuperResolverServiceServicer_to_server(servicer, server),
        running.preempt_all,
    )


def main(
    load_engine: Callable[[SuperResolverSettings], SuperResolverEngine] = PipelineEngine.load,
) -> int:
    """Serve until a signal."""
    return run_model_service(
        "super_resolver", load_settings(SuperResolverSettings), load_engine, register
    )


if __name__ == "__main__":
    run_main(main)
