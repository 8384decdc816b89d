"""What the parts cost by themselves: a gRPC echo and a Celery task, nothing of ours around them.

``python -m tests.bench.serving.plain echo ADDRESS_FILE`` or ``... celery FOLDER``.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from celery import Celery

ECHO = "/bench.Echo/Echo"
STAMP = "bench.stamp"


class _Echo(grpc.GenericRpcHandler):
    def service(self, handler_call_details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)


def echo_stub(channel: grpc.Channel) -> Callable[[bytes], bytes]:
    """Sends bytes and gets them back."""
    return channel.unary_unary(ECHO)


def serve_echo(address_file: Path) -> None:
    """Until killed."""
    server = grpc.server(futures.ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers((_Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    address_file.write_text(f"127.0.0.1:{port}")
    server.wait_for_termination()


def celery_app(folder: Path) -> Celery:
    """kombu's own folder transport, looking as often as ours does."""
    messages, control = folder / "messages", folder / "control"
    for path in (messages, control):
        path.mkdir(parents=True, exist_ok=True)
    app = Celery("bench", broker="filesystem://", set_as_current=False)
    app.conf.update(
        broker_transport_options={
            "data_folder_in": str(messages),
            "data_folder_out": str(messages),
            "control_folder": str(control),
            "polling_interval": 0.01,
        },
        task_ignore_result=True,
    )

    @app.task(name=STAMP, ignore_result=True)
    def stamp(number: int) -> None:
        (folder / f"{number}.stamp").write_text(repr(time.time()))

    return app


def serve_celery(folder: Path) -> None:
    """Until killed."""
    logging.disable(logging.CRITICAL)
    app = celery_app(folder)
    app.Worker(
        pool_cls="threads",
        concurrency=2,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    ).start()


if __name__ == "__main__":
    {"echo": serve_echo, "celery": serve_celery}[sys.argv[1]](Path(sys.argv[2]))
