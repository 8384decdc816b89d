"""What the gateway does, in one place: both of its doors (gRPC and HTTP) call these objects."""

from __future__ import annotations

import time
from dataclasses import dataclass

from omnireel.store import ObjectStore, open_store
from services.common.audit import AuditLog
from services.common.jobs import JobStore
from services.common.jobs.database import Database
from services.common.jobs.migrate import open_database
from services.common.safe_http import SafeHttp
from services.common.sandbox import MediaSandbox, SandboxConfig
from services.common.settings import load_settings
from services.common.storage.policy import StorageSettings
from services.common.storage.records import StorageRecords
from services.gateway.capabilities import CapabilityBook
from services.gateway.fetch import Fetcher
from services.gateway.forecast import Forecast
from services.gateway.identity import Authenticator
from services.gateway.identity.first_key import provide_first_key
from services.gateway.identity.key_store import KeyStore
from services.gateway.identity.oidc import OidcVerifier
from services.gateway.library import Library
from services.gateway.links import Links
from services.gateway.settings import GatewaySettings
from services.gateway.signing_key import load_signing_key
from services.gateway.upload import Uploads
from services.gateway.videos import Videos
from services.gateway.watch import Watcher
from services.gateway.watch_hub import WatchHub
from services.gateway.webhooks.sender import Webhooks
from services.gateway.webhooks.settings import WebhookSettings


@dataclass(frozen=True)
class Application:
    """The gateway without a transport."""

    settings: GatewaySettings
    authenticator: Authenticator
    audit: AuditLog
    jobs: JobStore
    store: ObjectStore
    book: CapabilityBook
    library: Library
    links: Links | None
    videos: Videos
    hub: WatchHub
    watcher: Watcher
    uploads: Uploads
    sandbox: MediaSandbox
    webhooks: Webhooks

    @classmethod
    def open(
        cls, settings: GatewaySettings, webhook_settings: WebhookSettings | None = None
    ) -> Application:
        """Connect to the database and the store that ``settings`` name.

        ``webhook_settings`` None: those of the environment.
        """
        database = open_database(settings.database_url)
        jobs = JobStore(database, time.time)
        store = open_store(settings.store_url)
        book = CapabilityBook(settings)
        key = load_signing_key(settings.signing_key_file) if settings.signing_key_file else None
        links = Links(key, settings.signed_url_s) if key else None
        library = Library(jobs, store, settings.signed_url_s, links)
        records = StorageRecords(database, StorageSettings().policy)
        webhooks = Webhooks(database, key, webhook_settings or load_settings(WebhookSettings))
        forecast = Forecast(jobs)
        hub = WatchHub(
            jobs, forecast, poll_s=settings.watch_poll_s, max_watchers=settings.max_watchers
        )
        sandbox = MediaSandbox(
            settings.decode_limits,
            SandboxConfig(processes=settings.max_decodes, wall_s=settings.max_decode_s),
        )
        uploads = Uploads(records, store, sandbox)
        fetcher = None
        if settings.fetch_urls == "on":
            fetcher = Fetcher(uploads, SafeHttp(settings.fetch_policy))
        videos = Videos(jobs, store, library, book, settings, records, webhooks, forecast, fetcher)
        return cls(
            settings=settings,
            authenticator=_authenticator(database, settings),
            audit=AuditLog(database, keep_days=settings.audit_days),
            jobs=jobs,
            store=store,
            book=book,
            library=library,
            links=links,
            videos=videos,
            hub=hub,
            watcher=Watcher(jobs, videos, hub, forecast),
            uploads=uploads,
            sandbox=sandbox,
            webhooks=webhooks,
        )

    def start(self) -> None:
        """Begin what runs beside the calls: reading for watchers, writing the audit log,
        delivering webhooks."""
        self.hub.start()
        self.audit.start()
        self.webhooks.start()

    def close(self) -> None:
        """Close every connection, and end the decoders."""
        self.webhooks.stop()
        self.audit.stop()
        self.book.close()
        self.sandbox.close()
        self.jobs.close()


def _authenticator(database: Database, settings: GatewaySettings) -> Authenticator:
    if settings.auth == "off":
        return Authenticator(None)
    keys = KeyStore(database)
    provide_first_key(keys, settings.key_file, settings.first_key)
    return Authenticator(keys, OidcVerifier(settings.oidc) if settings.oidc else None)
