"""How one service calls another: every replica that is ready takes its turn.

A name may stand for many addresses (in Kubernetes a headless Service). The channel connects to all
of them, asks each for its ``readiness``, and gives calls in turn to those that say SERVING: a
replica that loads its weights or drains gets none.
"""

from __future__ import annotations

import json

import grpc

from services.common.health import READINESS
from services.common.tls import ClientTls, open_channel

_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": READINESS},
}
_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    # A service that comes back is found within seconds; gRPC's defaults wait up to two minutes,
    # and half a minute between two looks at a name.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    ("grpc.enable_http_proxy", 0),
)


def open_balanced_channel(address: str, tls: ClientTls | None) -> grpc.Channel:
    """A channel to all replicas behind ``address`` (host:port, or any other gRPC target)."""
    return open_channel(address, tls, _OPTIONS)
