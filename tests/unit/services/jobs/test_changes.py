from __future__ import annotations

import threading

import pytest

from services.common.jobs import JobStore
from tests.support.jobs import add_job

FOREVER_S = 200.0  # pytest's own limit would come first


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # elsewhere only time is news
def test_a_commit_is_news(store: JobStore) -> None:
    changes, stop = store.changes(), threading.Event()
    add_job(store)
    assert changes.wait(FOREVER_S, stop)
    waiting = threading.Thread(target=changes.wait, args=(FOREVER_S, stop))
    waiting.start()
    add_job(store)
    waiting.join()
    changes.close()


def test_time_is_news_and_reading_is_none(store: JobStore) -> None:
    changes, stop = store.changes(), threading.Event()
    store.anything_to_publish(republish_s=1.0)
    store.take_for_publishing(worker_ttl_s=1.0, republish_s=1.0)  # nothing to take: no commit
    assert changes.wait(0.0, stop)
    stop.set()
    assert not changes.wait(FOREVER_S, stop)
    changes.close()


def test_news_of_many_jobs_in_one_read(store: JobStore) -> None:
    jobs = [add_job(store).id for _ in range(3)]
    seen = dict.fromkeys(jobs, 1)
    assert store.news_of(seen) == {}
    claimed = store.claim(jobs[0], "w", 10)
    assert claimed
    store.request_cancel(jobs[0])
    store.request_cancel(jobs[1])
    store.delete(jobs[1])
    news = store.news_of({**seen, **{f"other-{n}": 0 for n in range(1000)}})
    assert [event.sequence for event in news[jobs[0]].events] == [2, 3]
    assert news[jobs[0]].cancel_requested
    assert news[jobs[1]].gone and news["other-7"].gone
    assert jobs[2] not in news
