"""Real servers for tests, from Debian's packages: PostgreSQL, Redis, RabbitMQ.

Each listens on a free loopback port, lives in a folder of its own, and can be killed and started
again at the same address: ``with running_redis() as redis: redis.kill(); redis.start()``.
``make system-packages`` installs the programs.
"""

from __future__ import annotations

from tests.support.servers.postgres import Postgres, running_postgres
from tests.support.servers.rabbitmq import running_rabbitmq
from tests.support.servers.redis import running_redis
from tests.support.servers.server import Server

__all__ = ["Postgres", "Server", "running_postgres", "running_rabbitmq", "running_redis"]
