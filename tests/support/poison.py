"""A stage that does what its tasks say, deadly things too."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from omnireel.errors import Unavailable


def make() -> Callable[[str, Callable[[], None]], bytes]:
    return act


def act(wish: str, beat: Callable[[], None]) -> bytes:
    """``word:argument``; a file ``argument`` counts the calls."""
    word, _, argument = wish.partition(":")
    if argument:
        with Path(argument).open("a") as file:
            file.write("x")
    if word == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "exit":
        os._exit(3)
    if word == "hang":
        time.sleep(1000)
    if word == "greedy":
        return bytes(64 << 30)
    if word == "raise":
        raise ValueError("no\nluck")
    if word == "devices":
        return os.environ.get("CUDA_VISIBLE_DEVICES", "").encode()
    if word == "store":
        raise Unavailable("the store is gone")
    return word.upper().encode()
