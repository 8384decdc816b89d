"""Delivers due messages from a thread; any number of replicas may do so at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent import futures

from omnireel.errors import InvalidInput, OmnireelError, Unavailable
from services.common.http_target import resolve_target
from services.common.jobs import webhooks
from services.common.jobs.database import Database
from services.common.jobs.webhooks import DueWebhook
from services.common.logs import get_logger
from services.common.safe_http import SafeHttp
from services.gateway.signing_key import SigningKey
from services.gateway.webhooks.message import make_message, secret_of, secret_text
from services.gateway.webhooks.settings import WebhookSettings

log = get_logger(__name__)

AT_ONCE = 4
FIELD = "webhook_url"


class Webhooks:
    """Checks addresses when a job names one, and tells them when it ends."""

    def __init__(
        self,
        database: Database,
        key: SigningKey | None,
        settings: WebhookSettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``key`` None: nothing can be signed, so nothing is sent."""
        self._database = database
        self._key = key if settings.enabled else None
        self._settings = settings
        self._clock = clock
        self._http = SafeHttp(settings.policy)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="webhooks", daemon=True)

    def check(self, url: str) -> None:
        """Refuse a request whose webhook could never be delivered.

        Raises:
            InvalidInput: webhooks are disabled, or the address is not one that may be called.
        """
        if not url:
            return
        if self._key is None:
            raise InvalidInput(
                "webhooks are disabled on this server; watch the video's events instead",
                field=FIELD,
            )
        try:
            resolve_target(url, self._settings.policy, field=FIELD)
        except Unavailable:
            return  # its name may be there when the job ends

    def secret(self, tenant: str) -> str:
        """What the tenant verifies signatures with.

        Raises:
            InvalidInput: webhooks are disabled.
        """
        if self._key is None:
            raise InvalidInput("webhooks are disabled on this server", field=FIELD)
        return secret_text(secret_of(self._key, tenant))

    def start(self) -> None:
        """Begin to deliver."""
        if self._key is not None:
            self._thread.start()

    def stop(self) -> None:
        """Finish what is under way; the rest stays in the outbox."""
        self._stop.set()
        if self._thread.ident is not None:  # it was started
            self._thread.join()

    def turn(self) -> int:
        """Try everything that is due once; how much that was."""
        settings = self._settings
        with self._database.read() as connection:
            if not webhooks.any_due(connection, self._clock()):
                return 0  # no need for a write, which others would wait for
        with self._database.write() as connection:
            due = webhooks.claim_due(
                connection, self._clock(), lease_s=2 * settings.timeout_s, limit=AT_ONCE
            )
        with futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._deliver, due))
        return len(due)

    def _deliver(self, due: DueWebhook) -> None:
        assert self._key is not None
        message = make_message(due, secret_of(self._key, due.tenant), self._clock())
        try:
            status = self._http.post(due.url, message.body, message.headers, field=FIELD).status
            problem = "" if 200 <= status < 300 else f"the receiver answered {status}"
        except OmnireelError as error:
            problem = str(error)
        with self._database.write() as connection:
            now = self._clock()
            if not problem:
                webhooks.delivered(connection, due, now)
                return
            last = due.attempt >= self._settings.max_attempts
            retry_at = None if last else now + self._settings.delay_s(due.attempt)
            webhooks.refused(connection, due, problem, retry_at)
        log.warning(
            "webhook not delivered",
            job_id=due.job_id,
            attempt=due.attempt,
            given_up=last,
            error=problem,
        )

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                worked = self.turn()
            except Exception as error:
                log.error("cannot deliver webhooks; trying again", exc_info=error)
                worked = 0
            if not worked:
                self._stop.wait(self._settings.poll_s)
