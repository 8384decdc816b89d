"""JSON messages, each with up to two file descriptors, over a stream socket."""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from typing import Any

MAX_MESSAGE_BYTES = 1 << 20
MAX_DESCRIPTORS = 2
_LENGTH = struct.Struct(">I")

Message = dict[str, Any]


class Closed(Exception):
    """The other side is gone, or it does not speak as it should."""


def send(sock: socket.socket, message: Message, descriptors: tuple[int, ...] = ()) -> None:
    """Send one message.

    Raises:
        Closed: the other side is gone.
    """
    body = json.dumps(message).encode()
    try:
        socket.send_fds(sock, [_LENGTH.pack(len(body))], list(descriptors))
        sock.sendall(body)
    except OSError as error:
        raise Closed(str(error)) from error


def receive(sock: socket.socket, ends_at: float | None = None) -> tuple[Message, list[int]]:
    """The next message and its descriptors, which the caller closes.

    Raises:
        Closed: the other side is gone, or sent what is no message.
        TimeoutError: ``ends_at`` (of the monotonic clock) passed.
    """
    descriptors: list[int] = []
    try:
        _arm(sock, ends_at)
        head, descriptors, _, _ = socket.recv_fds(sock, _LENGTH.size, MAX_DESCRIPTORS)
        head += _exactly(sock, _LENGTH.size - len(head), ends_at) if head else b""
        (length,) = _LENGTH.unpack(head)
        if length > MAX_MESSAGE_BYTES:
            raise Closed(f"a message of {length} bytes")
        message = json.loads(_exactly(sock, length, ends_at))
        if not isinstance(message, dict):
            raise Closed("a message that is no object")
    except (Closed, TimeoutError):
        close_all(descriptors)
        raise
    except (OSError, ValueError, RecursionError, struct.error) as error:
        close_all(descriptors)
        raise Closed(str(error)) from error
    return message, descriptors


def close_all(descriptors: list[int]) -> None:
    """Close file descriptors."""
    while descriptors:
        os.close(descriptors.pop())


def _exactly(sock: socket.socket, size: int, ends_at: float | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        _arm(sock, ends_at)
        piece = sock.recv(size - len(data))
        if not piece:
            raise Closed("the other side closed")
        data += piece
    return bytes(data)


def _arm(sock: socket.socket, ends_at: float | None) -> None:
    if ends_at is None:
        sock.settimeout(None)
        return
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError
    sock.settimeout(left)
