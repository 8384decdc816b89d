"""What the served models can do, as they say themselves, with the gateway's own limits."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import grpc

from omnireel.api.v1 import (
    capabilities_pb2,
    generator_pb2_grpc,
    prompt_enhancer_pb2_grpc,
    super_resolver_pb2_grpc,
)
from omnireel.errors import OmnireelError, Unavailable
from omnireel.mvl import PromptLimits
from services.common.channels import open_balanced_channel
from services.common.logs import get_logger
from services.common.status import error_from_rpc
from services.gateway.settings import GatewaySettings

log = get_logger(__name__)

FRESH_S = 5.0
ASK_TIMEOUT_S = 5.0


class CapabilityBook:
    """Asks the model services, at most every ``FRESH_S`` seconds.

    A service that is down is described as it was last seen, so that jobs can be queued while it
    restarts; one that was never seen is :class:`Unavailable`.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._infos: dict[str, capabilities_pb2.ModelInfo] = {}
        self._channels: list[grpc.Channel] = []
        self._ask = self._stubs()

    def current(self) -> capabilities_pb2.Capabilities:
        """What can be asked for now."""
        with self._lock:
            if time.monotonic() - self._asked_at >= FRESH_S:
                self._refresh()
            infos = dict(self._infos)
        return self._join(infos)

    def close(self) -> None:
        """Close the channels."""
        for channel in self._channels:
            channel.close()

    def _stubs(self) -> Mapping[str, Any]:
        stubs = {
            "prompt_enhancer": prompt_enhancer_pb2_grpc.PromptEnhancerServiceStub,
            "generator": generator_pb2_grpc.GeneratorServiceStub,
            "super_resolver": super_resolver_pb2_grpc.SuperResolverServiceStub,
        }
        ask: dict[str, Any] = {}
        tls = self._settings.models_tls
        for kind, stub in stubs.items():
            channel = open_balanced_channel(getattr(self._settings, kind), tls)
            self._channels.append(channel)
            ask[kind] = stub(channel).GetModelInfo
        return ask

    def _refresh(self) -> None:
        complete = True
        for kind, ask in self._ask.items():
            try:
                request = capabilities_pb2.GetModelInfoRequest()
                self._infos[kind] = ask(request, timeout=ASK_TIMEOUT_S)
            except grpc.RpcError as error:
                complete = False
                self._missed(kind, error_from_rpc(error))
        if complete:
            self._asked_at = time.monotonic()

    def _missed(self, kind: str, error: OmnireelError) -> None:
        log.warning("model service does not answer", kind=kind, error=str(error))
        if kind not in self._infos:
            raise Unavailable(
                f"the {kind.replace('_', ' ')} is not ready ({error}); try again in a moment",
                retry_after_s=2.0,
            )

    def _join(
        self, infos: Mapping[str, capabilities_pb2.ModelInfo]
    ) -> capabilities_pb2.Capabilities:
        joined = capabilities_pb2.Capabilities()
        joined.CopyFrom(infos["generator"].capabilities)
        enhancer = infos["prompt_enhancer"].capabilities
        upscaler = infos["super_resolver"].capabilities
        joined.can_enhance = enhancer.can_enhance
        joined.upscale_factor = upscaler.upscale_factor
        joined.defaults.num_upscale_steps = upscaler.defaults.num_upscale_steps
        for kind, info in infos.items():
            setattr(joined.model_versions, kind, info.version)
        settings, limits = self._settings, joined.limits
        limits.max_upload_bytes = settings.max_upload_bytes
        limits.max_media_pixels = settings.max_media_pixels
        limits.max_media_frames = settings.max_media_frames
        limits.max_media_duration.FromMilliseconds(round(settings.max_media_seconds * 1000))
        limits.max_queued_jobs = settings.max_queued_jobs
        limits.min_priority = settings.min_priority
        limits.max_priority = settings.max_priority
        return joined


def prompt_limits(limits: capabilities_pb2.Limits) -> PromptLimits:
    """The limits that MVL itself checks."""
    return PromptLimits(
        max_characters=limits.max_prompt_chars,
        max_images=limits.max_images,
        max_videos=limits.max_videos,
        max_elements=limits.max_elements,
        max_images_per_element=limits.max_images_per_element,
    )
