"""Which scope each rpc needs. An rpc that is not named here is closed to everybody."""

from __future__ import annotations

from services.gateway.identity.principal import Scope

OPEN_PREFIX = "/grpc.health.v1.Health/"
"""Probes carry no credentials and learn nothing but SERVING or NOT_SERVING."""

_VIDEOS = "/omnireel.api.v1.VideoService/"
_OPERATIONS = "/google.longrunning.Operations/"

REQUIRED_SCOPES = {
    _VIDEOS + "CreateVideo": Scope.WRITE,
    _VIDEOS + "GetVideo": Scope.READ,
    _VIDEOS + "ListVideos": Scope.READ,
    _VIDEOS + "DeleteVideo": Scope.WRITE,
    _VIDEOS + "WatchVideo": Scope.READ,
    _VIDEOS + "UploadMedia": Scope.WRITE,
    _VIDEOS + "DownloadMedia": Scope.READ,
    _VIDEOS + "DeleteMedia": Scope.WRITE,
    _VIDEOS + "GetCapabilities": Scope.READ,
    _OPERATIONS + "GetOperation": Scope.READ,
    _OPERATIONS + "ListOperations": Scope.READ,
    _OPERATIONS + "WaitOperation": Scope.READ,
    _OPERATIONS + "CancelOperation": Scope.WRITE,
    _OPERATIONS + "DeleteOperation": Scope.WRITE,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Scope.READ,
}

AUDITED = frozenset(
    {path for path, scope in REQUIRED_SCOPES.items() if scope is not Scope.READ}
    | {_VIDEOS + "DownloadMedia"}
)
"""What is written down whenever it is done; refusals always are."""
