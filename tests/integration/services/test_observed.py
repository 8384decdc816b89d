"""One job, seen from outside: one trace over five processes, its ids in every log, its numbers."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from omnireel.api.v1 import video_pb2
from omnireel.client import stack_key
from services.common.stack.down import stop_stack
from services.common.stack.up import start_stack
from tests.support.otlp import Collector, ReceivedSpan, running_collector
from tests.support.stack import QUICK, Api, stack_config

SERVICES = ("gateway", "worker", "prompt_enhancer", "generator", "super_resolver")
CALLERS_TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{CALLERS_TRACE}-b7ad6b7169203331-01"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_one_job_is_one_trace_over_five_processes(tmp_path: Path) -> None:
    ports = {service: free_port() for service in SERVICES}
    with running_collector() as collector:
        environment = dict(QUICK)
        for service, port in ports.items():
            prefix = f"OMNIREEL_{service.upper()}_"
            environment |= {
                f"{prefix}OTLP_ENDPOINT": collector.endpoint,
                f"{prefix}METRICS_LISTEN": f"127.0.0.1:{port}",
                f"{prefix}LOG_FORMAT": "json",
            }
        config = stack_config(tmp_path, environment=environment)
        state = start_stack(config, lambda line: None)
        try:
            api = Api(state.gateway, stack_key(config.home))
            job_id = _create(api, "a red ball", TRACEPARENT)
            video = api.finish(job_id)
            assert video.state == video_pb2.VIDEO_STATE_SUCCEEDED, video.error
            failed_id = _create(api, "fail-invalid-generator", "")
            api.finish(failed_id)
            waiting_id = _create(api, "hold-nothing", "")
            api.finish(waiting_id)
            api.close()
            _check_metrics(ports)
        finally:
            stop_stack(config.home, lambda line: None, 20.0)
        _check_traces(collector, job_id, failed_id)
    _check_logs(config.home / "logs", job_id)


def _create(api: Api, text: str, traceparent: str) -> str:
    request = video_pb2.CreateVideoRequest()
    request.prompt.text = text
    metadata = (("traceparent", traceparent),) if traceparent else ()
    name: str = api.videos.CreateVideo(request, metadata=metadata).name
    return name.removeprefix("operations/")


def _check_traces(collector: Collector, job_id: str, failed_id: str) -> None:
    spans = [span for span in collector.spans if span.trace == CALLERS_TRACE]
    assert {span.service for span in spans} == {f"omnireel-{service}" for service in SERVICES}
    ids = {span.id for span in spans}
    roots = [span for span in spans if span.parent not in ids]
    assert [(span.name, span.parent) for span in roots] == [
        ("omnireel.api.v1.VideoService/CreateVideo", "b7ad6b7169203331")
    ]
    by_name = {span.name: span for span in spans}
    assert by_name["job"].attributes["omnireel.job_id"] == job_id
    for stage, method in (
        ("enhance", "omnireel.api.v1.PromptEnhancerService/Enhance"),
        ("generate", "omnireel.api.v1.GeneratorService/Generate"),
        ("upscale", "omnireel.api.v1.SuperResolverService/Upscale"),
    ):
        assert by_name[f"stage {stage}"].parent == by_name["job"].id
        assert by_name[method].parent == by_name[f"stage {stage}"].id
    assert by_name["stage finish"].parent == by_name["job"].id
    assert by_name["queued"].parent == by_name["job"].parent == roots[0].id
    _check_failed(collector.spans, failed_id)


def _check_failed(spans: list[ReceivedSpan], failed_id: str) -> None:
    (job,) = [s for s in spans if s.name == "job" and s.attributes["omnireel.job_id"] == failed_id]
    assert job.failed == "INVALID_INPUT"
    assert job.trace != CALLERS_TRACE
    generate = [s for s in spans if s.trace == job.trace and s.name.endswith("/Generate")]
    assert [s.failed for s in generate] == ["INVALID_ARGUMENT"]


def _check_metrics(ports: dict[str, int]) -> None:
    samples = {service: _scrape(port) for service, port in ports.items()}
    for service in SERVICES:
        assert samples[service]["process_resident_memory_bytes"] > 10 << 20
        assert samples[service]["omnireel_memory_peak_bytes"] > 10 << 20
    worker = samples["worker"]
    assert worker['omnireel_jobs_finished_total{reason="",state="SUCCEEDED"}'] == 2
    assert worker['omnireel_jobs_finished_total{reason="INVALID_INPUT",state="FAILED"}'] == 1
    assert worker['omnireel_stage_seconds_count{stage="upscale"}'] == 2
    assert worker['omnireel_step_seconds_count{stage="generate"}'] == 6  # three gaps of four steps
    assert worker["omnireel_queued_seconds_count"] == 3
    gateway = samples["gateway"]
    assert gateway["omnireel_job_database_up"] == 1 and gateway["omnireel_worker_slots"] == 1
    create = 'code="OK",method="/omnireel.api.v1.VideoService/CreateVideo"'
    assert gateway[f"omnireel_rpc_seconds_count{{{create}}}"] == 3
    assert samples["generator"]["omnireel_device_silent_seconds"] == 0


def _scrape(port: int) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        families = text_string_to_metric_families(answer.read().decode())
    found = {}
    for family in families:
        for sample in family.samples:
            labels = ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items()))
            found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


def _check_logs(folder: Path, job_id: str) -> None:
    for service in SERVICES[1:]:
        lines = (folder / f"{service}.log").read_text().splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        about = [event for event in events if event.get("job_id") == job_id]
        assert about, service
        traces = {event.get("trace_id") for event in about if event["event"] != "job taken"}
        assert CALLERS_TRACE in traces, service
