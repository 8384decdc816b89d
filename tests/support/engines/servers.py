"""Model services with test engines on real ports, inside the test's own process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.common.device_gate import DeviceGate
from services.common.model_host import ModelHost
from services.common.server import RpcServer
from services.generator import main as generator
from services.generator.settings import GeneratorSettings
from services.prompt_enhancer import main as prompt_enhancer
from services.prompt_enhancer.settings import PromptEnhancerSettings
from services.super_resolver import main as super_resolver
from services.super_resolver.settings import SuperResolverSettings
from tests.support.engines.generator import TestGenerator
from tests.support.engines.prompt_enhancer import TestPromptEnhancer
from tests.support.engines.super_resolver import TestSuperResolver


@contextmanager
def running_generator(
    store_url: str, engine: Any = None, *, ready: bool = True, **settings: Any
) -> Iterator[RpcServer]:
    """A generator service; ``ready=False`` leaves it loading for ever."""
    given = GeneratorSettings(store_url=store_url, listen="127.0.0.1:0", **settings)
    with _running(given, generator.register, engine or TestGenerator(), ready) as server:
        yield server


@contextmanager
def running_super_resolver(
    store_url: str, engine: Any = None, *, ready: bool = True, **settings: Any
) -> Iterator[RpcServer]:
    """A super-resolver service."""
    given = SuperResolverSettings(store_url=store_url, listen="127.0.0.1:0", **settings)
    with _running(given, super_resolver.register, engine or TestSuperResolver(), ready) as server:
        yield server


@contextmanager
def running_prompt_enhancer(
    store_url: str, engine: Any = None, *, ready: bool = True, **settings: Any
) -> Iterator[RpcServer]:
    """A prompt enhancer service."""
    given = PromptEnhancerSettings(store_url=store_url, listen="127.0.0.1:0", **settings)
    engine = engine or TestPromptEnhancer()
    with _running(given, prompt_enhancer.register, engine, ready) as server:
        yield server


@contextmanager
def _running(settings: Any, register: Any, engine: Any, ready: bool) -> Iterator[RpcServer]:
    host: ModelHost[Any] = ModelHost(lambda: engine)
    gate = DeviceGate(max_waiting=settings.max_waiting, max_wait_s=settings.max_wait_s)
    server = RpcServer(settings, [register(settings, host, gate)], max_calls=settings.max_calls)
    with server:
        if ready:
            host.prepare()
            server.health.set_serving(True)
        yield server
