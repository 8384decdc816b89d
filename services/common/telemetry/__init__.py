"""What a process says about itself: traces (OpenTelemetry) and metrics (Prometheus).

Both are off until a setting names where they go, and then cost nothing but the import of an
interface: no exporter, no thread, no port.
"""

from services.common.telemetry.metrics import JobMetrics, ModelMetrics, RpcMetrics
from services.common.telemetry.telemetry import Telemetry, open_telemetry
from services.common.telemetry.tracing import Tracing, trace_id_of

__all__ = [
    "JobMetrics",
    "ModelMetrics",
    "RpcMetrics",
    "Telemetry",
    "Tracing",
    "open_telemetry",
    "trace_id_of",
]
