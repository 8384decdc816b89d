"""Redis as the broker, whose loss while a job runs leaves the worker able to hear.

Celery's consumer holds one unacknowledged ring a slot and asks for no more. When the end of a job
cannot be told to a Redis that is away, kombu keeps counting that ring as held, for ever: the
consumer asks for nothing, so it does not even see that its connection is gone.
"""

from __future__ import annotations

from kombu.transport import redis, virtual


class QoS(redis.QoS):  # type: ignore[misc]
    """Counts a ring as answered, whether or not Redis hears of it.

    If it does not, it rings again one day; the jobs database knows better.
    """

    def ack(self, delivery_tag: str) -> None:
        """Forget the ring here first, then in Redis."""
        virtual.QoS.ack(self, delivery_tag)
        self._remove_from_indices(delivery_tag).execute()


class Channel(redis.Channel):  # type: ignore[misc]
    """A channel with :class:`QoS`."""

    QoS = QoS


class Transport(redis.Transport):  # type: ignore[misc]
    """The Redis transport with :class:`Channel`."""

    Channel = Channel
