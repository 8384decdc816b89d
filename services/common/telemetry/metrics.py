"""The metrics of every process, each family declared once. Units are seconds and bytes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from services.common.model_info import Denoised

RPC_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600)
STEP_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
STAGE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class RpcMetrics:
    """What every server counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds = Histogram(
            "omnireel_rpc_seconds",
            "Time of the calls that this process served, a stream's to its end.",
            ("method", "code"),
            buckets=RPC_BUCKETS,
            registry=registry,
        )
        ProcessCollector(registry=registry)
        registry.register(_PeakMemory())


class JobMetrics:
    """What a worker counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.finished = Counter(
            "omnireel_jobs_finished",
            "Attempts that ended here: SUCCEEDED, FAILED, CANCELLED, or back in the queue.",
            ("state", "reason"),
            registry=registry,
        )
        self.stage_seconds = Histogram(
            "omnireel_stage_seconds",
            "Time of the stages of jobs, as measured by the worker.",
            ("stage",),
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self.step_seconds = Histogram(
            "omnireel_step_seconds",
            "Time from one denoising step to the next.",
            ("stage",),
            buckets=STEP_BUCKETS,
            registry=registry,
        )
        self.queued_seconds = Histogram(
            "omnireel_queued_seconds",
            "Time that a job waited before its first worker took it.",
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self.busy_slots = Gauge(
            "omnireel_worker_busy_slots", "Jobs that run in this worker.", registry=registry
        )
        self.leases_lost = Counter(
            "omnireel_leases_lost",
            "Jobs that somebody else took while this worker had them.",
            registry=registry,
        )
        self.swept = Counter(
            "omnireel_jobs_swept",
            "Jobs whose lease or deadline passed, moved by this worker's sweeper.",
            registry=registry,
        )
        self.dispatch_errors = Counter(
            "omnireel_dispatch_errors",
            "Turns of the dispatcher that failed: its database or its broker is away.",
            registry=registry,
        )


class ModelMetrics:
    """What a model service tells of its device; the two numbers are asked for at every scrape."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        occupied: Callable[[], float],
        silent_s: Callable[[], float],
        denoised: Callable[[], Denoised | None] = lambda: None,
    ) -> None:
        jobs = Gauge(
            "omnireel_device_jobs", "Jobs that have the device or wait for it.", registry=registry
        )
        jobs.set_function(occupied)
        silent = Gauge(
            "omnireel_device_silent_seconds",
            "Time since the running job's last sign of life; 0 when idle.",
            registry=registry,
        )
        silent.set_function(silent_s)
        registry.register(_Denoised(denoised))
        registry.register(_GpuMemory())


class _Denoised(Collector):
    """Steps over calls is how many jobs denoise together; 1: sharing the device gains nothing."""

    def __init__(self, denoised: Callable[[], Denoised | None]) -> None:
        self._denoised = denoised

    def collect(self) -> Iterable[Metric]:
        steps = CounterMetricFamily("omnireel_denoising_steps", "Denoising steps of all jobs.")
        calls = CounterMetricFamily(
            "omnireel_denoising_calls", "Calls of the model in which these steps ran."
        )
        now = self._denoised()
        if now is not None:
            steps.add_metric((), now.steps)
            calls.add_metric((), now.calls)
        return [steps, calls]


class _PeakMemory(Collector):
    """The high-water mark of resident memory, which the process collector leaves out."""

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "omnireel_memory_peak_bytes", "Highest resident memory since the start."
        )
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
        except OSError:  # no Linux
            lines = []
        for line in lines:
            if line.startswith("VmHWM:"):
                family.add_metric((), int(line.split()[1]) * 1024)
        return [family]


class _GpuMemory(Collector):
    """Memory of the GPU of this process, once torch runs on one."""

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "omnireel_gpu_memory_bytes", "Memory of the GPU.", labels=("kind",)
        )
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
            family.add_metric(("allocated",), torch.cuda.memory_allocated())
            family.add_metric(("reserved",), torch.cuda.memory_reserved())
            free, total = torch.cuda.mem_get_info()
            family.add_metric(("free",), free)
            family.add_metric(("total",), total)
        return [family]
