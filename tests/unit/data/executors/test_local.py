"""Workers that die, hang or grow cost one task each, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnireel.data.executors import Done, LocalExecutor, Lost, Stage, Task
from omnireel.errors import Unavailable
from tests.support import poison

STAGE = Stage("poison", poison.make, memory_bytes=2 << 30, stall_s=2.0)


def test_what_kills_a_worker_is_recorded_once_and_the_rest_goes_on(tmp_path: Path) -> None:
    counts = {word: tmp_path / word for word in ("crash", "exit", "hang", "greedy", "raise")}
    wishes = ["good", *(f"{word}:{path}" for word, path in counts.items()), "fine"]
    tasks = [Task(wish.partition(":")[0], wish) for wish in wishes]
    found = {news.key: news for news in LocalExecutor(2).run(STAGE, tasks)}

    assert found.keys() == {task.key for task in tasks}
    reasons = {key: news.reason for key, news in found.items() if isinstance(news, Lost)}
    assert reasons == {
        "crash": "its worker was killed by SIGSEGV",
        "exit": "its worker ended with status 3",
        "hang": "its worker showed no sign of life",
        "greedy": "it needs more than 2048 MiB",
        "raise": "ValueError: no luck",
    }
    results = {key: news.result for key, news in found.items() if isinstance(news, Done)}
    assert results == {"good": b"GOOD", "fine": b"FINE"}
    assert {path.read_text() for path in counts.values()} == {"x"}, "each was tried once"


def test_a_lost_store_stops_the_stage() -> None:
    with pytest.raises(Unavailable, match="the store is gone"):
        list(LocalExecutor(1).run(STAGE, [Task("a", "store"), Task("b", "good")]))
