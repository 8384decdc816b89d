"""The decoding process: ``python -m services.common.sandbox.child SOCKET CONFIG``.

It ends by itself when nobody asks for a while, after a number of files (so that whatever leaks
stays small), and when its parent is gone.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import traceback
from typing import Any

from services.common.sandbox.limits import limit_cpu, limit_process
from services.common.sandbox.tasks import run_task
from services.common.sandbox.wire import Closed, Message, close_all, receive, send

MAX_STORY_CHARACTERS = 4000


def main(argv: list[str]) -> int:
    """Answer requests until there is a reason to end."""
    sock, config = socket.socket(fileno=int(argv[1])), json.loads(argv[2])
    limit_process(memory_bytes=config["memory_bytes"], output_bytes=config["output_bytes"])
    send(sock, {"ready": True})
    for _ in range(config["max_files"]):
        readable, _, _ = select.select([sock], [], [], config["idle_s"])
        if not readable:
            return 0
        try:
            request, descriptors = receive(sock)
        except Closed:
            return 0
        send(sock, {"taken": True})  # from here on an end is the file's doing
        limit_cpu(config["cpu_s"])
        answer = _answer(request, descriptors)
        close_all(descriptors)
        send(sock, answer)
    return 0


def _answer(request: Message, descriptors: list[int]) -> dict[str, Any]:
    try:
        return run_task(request, descriptors)
    except Exception:  # noqa: BLE001 - the parent logs it and refuses the file
        return {"broke": traceback.format_exc()[-MAX_STORY_CHARACTERS:]}


if __name__ == "__main__":
    status = main(sys.argv)
    # Decoders hang in their own clean-up now and then; there is nothing to clean.
    os._exit(status)
