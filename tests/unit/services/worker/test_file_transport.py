from __future__ import annotations

import json
import threading
from pathlib import Path

from kombu import Connection

from services.worker.file_transport import Transport


def _connection(folder: Path) -> Connection:
    options = {name: str(folder) for name in ("data_folder_in", "data_folder_out")}
    options["control_folder"] = str(folder / "control")
    (folder / "control").mkdir(exist_ok=True)
    return Connection("filesystem://x", transport=Transport, transport_options=options)


def test_messages_appear_whole(tmp_path: Path) -> None:
    halves: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            for path in tmp_path.glob("*.msg"):
                try:
                    json.loads(path.read_text())
                except FileNotFoundError:
                    continue
                except ValueError:
                    halves.append(path.name)

    reader = threading.Thread(target=read)
    reader.start()
    with _connection(tmp_path) as connection, connection.SimpleQueue("jobs") as box:
        for number in range(50):
            box.put({"job": number, "padding": "x" * 50_000})
        stop.set()
        reader.join()
        got = [box.get(timeout=5) for _ in range(50)]
        for message in got:
            message.ack()
        assert sorted(message.payload["job"] for message in got) == list(range(50))
    assert halves == []
    assert not list(tmp_path.glob("*.msg*"))
