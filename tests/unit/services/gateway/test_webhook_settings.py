"""How long a message is tried for."""

from __future__ import annotations

import re
from pathlib import Path

from services.gateway.webhooks.settings import WebhookSettings

PAGE = Path(__file__).resolve().parents[4] / "docs/serving/http.md"


def test_a_receiver_may_be_away_for_the_hours_that_the_documents_promise() -> None:
    settings = WebhookSettings()
    waits = [settings.delay_s(attempt) for attempt in range(1, settings.max_attempts)]
    assert waits == sorted(waits)
    told = re.search(r"tried (\d+) times over (\w+) hours", PAGE.read_text())
    assert told is not None
    assert int(told[1]) == settings.max_attempts
    hours = {"five": 5}[told[2]]
    assert hours <= sum(waits) / 3600 < hours + 1
