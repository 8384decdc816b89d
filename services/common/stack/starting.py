"""Starts one process of a stack."""

from __future__ import annotations

import time
from collections.abc import Mapping

from services.common.stack.config import StackConfig, service_of
from services.common.stack.process import spawn
from services.common.stack.state import ProcessState, StackState

MAX_LOG_BYTES = 8 << 20


def start_process(
    config: StackConfig, name: str, addresses: Mapping[str, str], more: Mapping[str, str]
) -> ProcessState:
    """Start ``name`` with ``more`` in its environment; its address is not known yet."""
    config.address_file(name).unlink(missing_ok=True)
    if name == "gateway":
        config.http_address_file.unlink(missing_ok=True)
    log = config.log_file(name)
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(log.with_suffix(".log.old"))
    with log.open("a", encoding="utf-8") as file:
        file.write(f"--- started {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
    environment = {**config.environment_of(name, addresses), **more}
    made = spawn(config.commands[service_of(name)], environment, log)
    return ProcessState(name, made.pid, made.start_ticks, address="", log=str(log))


def same_addresses(state: StackState, process: ProcessState) -> dict[str, str]:
    """Settings that let a new process listen where ``process`` did: the others know it there."""
    prefix = f"OMNIREEL_{service_of(process.name)}_".upper()
    settings = {f"{prefix}LISTEN": process.address} if process.address else {}
    if process.name == "gateway" and state.http:
        settings[f"{prefix}HTTP_LISTEN"] = state.http
    return settings
