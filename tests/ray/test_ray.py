"""Curation on Ray: the same bytes, the same losses, and what a stage says it needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from omnireel.data.checks import load_policy
from omnireel.data.curate.engine import CurateRequest, curate
from omnireel.data.executors import Done, LocalExecutor, Lost, Stage, Task
from omnireel.data.executors.ray import RayExecutor, connect
from omnireel.data.shards import ShardWriterConfig
from omnireel.errors import Unavailable
from tests.support import poison
from tests.support.curated import bytes_of
from tests.support.footage import POLICY, mixed_folder

# Starting a Ray takes half a minute, and it warns of its own parts.
pytestmark = [pytest.mark.timeout(1200), pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def executor() -> Iterator[RayExecutor]:
    """One small Ray for all tests; what it takes for a GPU need not be one."""
    os.environ.pop("RAY_ADDRESS", None)
    connect(num_cpus=1, num_gpus=1)
    yield RayExecutor(1)
    ray.shutdown()


def test_ray_gives_the_same_bytes(executor: RayExecutor, tmp_path: Path) -> None:
    footage = mixed_folder(tmp_path / "footage")
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY + "  exact_duplicate: on\n")
    policy, layout = load_policy(str(path)), ShardWriterConfig(shard_bytes=40_000)
    for name, where in (("local", LocalExecutor(1)), ("ray", executor)):
        curate(CurateRequest(str(footage), tmp_path / name, policy, layout), where)
    found = bytes_of(tmp_path / "ray")
    assert {"ledger.parquet", "manifest.json", "report.html"} < found.keys()
    assert found == bytes_of(tmp_path / "local")


def test_what_kills_a_worker_is_tried_once_and_the_rest_goes_on(
    executor: RayExecutor, tmp_path: Path
) -> None:
    counts = {word: tmp_path / word for word in ("crash", "exit", "raise")}
    wishes = ["good", *(f"{word}:{path}" for word, path in counts.items()), "fine"]
    tasks = [Task(wish.partition(":")[0], wish) for wish in wishes]
    found = {news.key: news for news in executor.run(Stage("poison", poison.make), tasks)}

    reasons = {key: news.reason for key, news in found.items() if isinstance(news, Lost)}
    assert reasons == {
        "crash": "its worker was killed by SIGSEGV",
        "exit": "its worker ended with status 3",
        "raise": "ValueError: no luck",
    }
    results = {key: news.result for key, news in found.items() if isinstance(news, Done)}
    assert results == {"good": b"GOOD", "fine": b"FINE"}
    assert {path.read_text() for path in counts.values()} == {"x"}


def test_a_stage_is_given_the_gpu_that_it_declares(executor: RayExecutor) -> None:
    for gpus, device in ((1.0, b"0"), (0.0, b"")):
        (news,) = executor.run(Stage("eyes", poison.make, gpus), [Task("a", "devices")])
        assert isinstance(news, Done)
        assert news.result == device


def test_a_lost_store_stops_the_stage(executor: RayExecutor) -> None:
    with pytest.raises(Unavailable, match="the store is gone"):
        list(executor.run(Stage("poison", poison.make), [Task("a", "store")]))


def test_a_cluster_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    ray.shutdown()
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(Unavailable, match=r"RAY_ADDRESS=127\.0\.0\.1:1 cannot be used"):
        connect()
