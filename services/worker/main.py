"""``python -m services.worker.main``: wiring of the worker."""

from __future__ import annotations

import os
import signal
import socket
import threading
import uuid

from omnireel.secret import read_secret
from omnireel.store import ObjectStore, open_store
from services.common.jobs import JobStore, open_jobs
from services.common.logs import configure_logs, get_logger
from services.common.safety import open_policy
from services.common.server import RpcServer, run_main, serve
from services.common.settings import load_settings
from services.common.storage.collector import Collector
from services.common.storage.policy import StorageSettings
from services.common.storage.records import StorageRecords
from services.common.telemetry import open_telemetry
from services.worker.clients import ModelClients
from services.worker.collecting import Collecting
from services.worker.dispatcher import Dispatcher, DispatcherConfig
from services.worker.doorbell import Doorbell, make_app
from services.worker.observer import RunObserver
from services.worker.release import ContentSigner, ReleaseGate
from services.worker.runner import JobRunner, RunnerConfig
from services.worker.settings import WorkerSettings

log = get_logger(__name__)

MAX_SILENCE_S = 120.0
SETTLE_S = 10.0


def main() -> int:
    """Run until SIGTERM or SIGINT; jobs that do not finish in time then are handed over."""
    settings = load_settings(WorkerSettings)
    configure_logs("worker", log_format=settings.log_format, level=settings.log_level)
    worker_id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    jobs = open_jobs(settings.database_url)
    clients = ModelClients(
        prompt_enhancer=settings.prompt_enhancer,
        generator=settings.generator,
        super_resolver=settings.super_resolver,
        tls=settings.models_tls,
    )
    telemetry = open_telemetry("worker", settings)
    observer = RunObserver(telemetry)
    store = open_store(settings.store_url)
    gate = _gate(settings, store)
    config = _runner_config(settings, worker_id)
    runner = JobRunner(jobs, store, clients, config, observer, gate)
    doorbell = Doorbell(make_app(settings.broker_url), runner.run, settings.slots)
    dispatcher = Dispatcher(
        jobs, doorbell.ring, _dispatcher_config(settings, worker_id), observer.metrics
    )
    collecting = _collecting(jobs, settings, worker_id)
    broken: list[BaseException] = []
    main_thread = threading.get_ident()

    def died(error: BaseException) -> None:
        log.error("the doorbell is broken", exc_info=error)
        broken.append(error)
        # To the main thread, which sleeps: raised in this one it would go on sleeping.
        signal.pthread_kill(main_thread, signal.SIGTERM)

    def prepare() -> None:
        doorbell.start(died)
        dispatcher.start()
        collecting.start()

    def alive() -> bool:
        return not dispatcher.started or dispatcher.silent_s < MAX_SILENCE_S

    status = serve(RpcServer(settings, (), telemetry=telemetry), prepare, alive)
    dispatcher.stop()
    collecting.stop()
    doorbell.stop_taking()
    runner.drain(finish_s=settings.grace_s, handover_s=settings.handover_s)
    doorbell.stop(SETTLE_S)
    gate.close()
    clients.close()
    jobs.close()
    telemetry.close()
    return 1 if broken else status


def _gate(settings: WorkerSettings, store: ObjectStore) -> ReleaseGate:
    policy = open_policy(settings.safety, settings.safety_timeout_s)
    signer = None
    if settings.c2pa_key:
        signer = ContentSigner(
            read_secret(settings.c2pa_chain, "c2pa_chain"),
            read_secret(settings.c2pa_key, "c2pa_key"),
            settings.c2pa_algorithm,
            settings.c2pa_time_authority,
        )
    log.info("release gate", safety=settings.safety, signed=signer is not None)
    return ReleaseGate(store, policy, signer)


def _collecting(jobs: JobStore, settings: WorkerSettings, worker_id: str) -> Collecting:
    storage = StorageSettings()
    records = StorageRecords(jobs.database, storage.policy)
    collector = Collector(records, open_store(settings.store_url), storage)
    return Collecting(collector, records, worker_id, storage.collect_s)


def _runner_config(settings: WorkerSettings, worker_id: str) -> RunnerConfig:
    return RunnerConfig(
        worker_id=worker_id,
        lease_s=settings.lease_s,
        heartbeat_s=settings.heartbeat_s,
        backoff_s=settings.backoff_s,
        max_backoff_s=settings.max_backoff_s,
        progress_interval_s=settings.progress_interval_s,
    )


def _dispatcher_config(settings: WorkerSettings, worker_id: str) -> DispatcherConfig:
    return DispatcherConfig(
        worker_id=worker_id,
        slots=settings.slots,
        dispatch_s=settings.dispatch_s,
        sweep_s=settings.sweep_s,
        republish_s=settings.republish_s,
        worker_ttl_s=settings.worker_ttl_s,
    )


if __name__ == "__main__":
    run_main(main)
