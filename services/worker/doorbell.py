"""The Celery application: one task, no results, nothing that must not be lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from celery import Celery
from celery.app.trace import setup_worker_optimizations
from celery.worker import WorkController
from celery.worker import state as celery_state

from omnireel.errors import InvalidInput
from services.common.logs import get_logger

log = get_logger(__name__)

TASK = "omnireel.run_job"
QUEUE = "omnireel-jobs"
# A ring that fails is rung again by a later turn, so trying here only bridges a broken connection.
RING_POLICY = {"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5}
SOCKET_TIMEOUTS = {"socket_connect_timeout": 5.0, "socket_timeout": 30.0, "socket_keepalive": True}


def make_app(broker_url: str) -> Celery:
    """A Celery application on ``broker_url``; ``files:///folder`` uses a folder as the broker."""
    scheme = urlsplit(broker_url).scheme
    app = Celery("omnireel", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        task_acks_late=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a broker that is away for an hour is waited for
        broker_connection_timeout=5.0,
    )
    if scheme in ("redis", "rediss"):
        app.conf.broker_transport_options = SOCKET_TIMEOUTS
    if scheme == "redis":
        app.conf.broker_transport = "services.worker.redis_transport:Transport"
    if scheme == "files":
        app.conf.update(broker_url="filesystem://", **_folder_broker(broker_url))
    return app


def _folder_broker(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    if parts.netloc or not parts.path.startswith("/"):
        raise InvalidInput(
            f"{url!r} is no folder; write files:///absolute/folder", field="broker_url"
        )
    folder = Path(unquote(parts.path))
    messages, control = folder / "messages", folder / "control"
    for path in (messages, control):
        path.mkdir(parents=True, exist_ok=True)
    return {
        "broker_transport": "services.worker.file_transport:Transport",
        "broker_transport_options": {
            "data_folder_in": str(messages),
            "data_folder_out": str(messages),
            "control_folder": str(control),
            "polling_interval": 0.01,
        },
    }


class _Consumer(WorkController):  # type: ignore[misc]
    """Celery's consumer, which says when it is connected to the broker."""

    connected: threading.Event

    def on_before_init(self, **_kwargs: object) -> None:
        # Otherwise the pool's threads look for the task in whatever application is the default.
        setup_worker_optimizations(self.app)

    def on_consumer_ready(self, _consumer: object) -> None:
        self.connected.set()


class Doorbell:
    """Rings for a job, and answers rings with ``answer(job_id)`` on ``slots`` threads."""

    def __init__(self, app: Celery, answer: Callable[[str], None], slots: int) -> None:
        self._app = app
        self._slots = slots
        self._thread: threading.Thread | None = None

        @app.task(name=TASK, ignore_result=True, shared=False)  # type: ignore[untyped-decorator]
        def run_job(job_id: str) -> None:
            answer(job_id)

    def ring(self, job_id: str) -> None:
        """Send the message; whoever has a free slot takes it."""
        self._app.send_task(TASK, args=[job_id], queue=QUEUE, retry=True, retry_policy=RING_POLICY)

    def start(self, died: Callable[[BaseException], None]) -> None:
        """Answer rings from now on: returns when the broker is connected.

        ``died`` hears of it if answering ends by itself, now or later.
        """
        connected = threading.Event()
        # One consumer per process: Celery keeps its stop flag in a module.
        celery_state.should_stop = None

        def consume() -> None:
            try:
                consumer = _Consumer(
                    app=self._app,
                    hostname="omnireel",
                    pool_cls="threads",
                    concurrency=self._slots,
                    without_gossip=True,
                    without_mingle=True,
                    without_heartbeat=True,
                    queues=[QUEUE],
                )
                consumer.connected = connected
                consumer.start()
                if celery_state.should_stop is None:
                    died(RuntimeError("the Celery consumer ended by itself"))
            except BaseException as error:  # noqa: BLE001 - handed to the process' main thread
                died(error)
            finally:
                connected.set()

        self._thread = threading.Thread(target=consume, name="celery", daemon=True)
        self._thread.start()
        connected.wait()

    def stop_taking(self) -> None:
        """Take no new rings; those that came stay with the broker."""
        celery_state.should_stop = 0

    def stop(self, timeout_s: float) -> None:
        """Take no new rings and wait for the running ones to end."""
        self.stop_taking()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                log.warning("jobs still run after the grace period", grace_s=timeout_s)
        self._app.close()
