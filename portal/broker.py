"""What a worker makes of a message that is not ours: it is dropped, told of, and nothing else.

Whoever can write to the broker can write anything there. Celery drops what it cannot run, but a
message of another shape ends the worker, and waits for the next one to end that too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer as CelerysConsumer
from kombu.transport import redis

log = logging.getLogger(__name__)

_OF_ANOTHER_SHAPE = (ValueError, TypeError, KeyError, AttributeError)
"""What taking a message apart raises; a broker that is away raises none of them."""


class Channel(redis.Channel):
    def _brpop_read(self, **options: Any) -> Any:
        """An item that is no message at all: it has been taken out of its queue already."""
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except _OF_ANOTHER_SHAPE as error:
            log.error("no message, dropped: %s", type(error).__name__)
            return True


class Transport(redis.Transport):
    Channel = Channel


class Consumer(CelerysConsumer):  # type: ignore[misc]
    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """A message of a task's name that is none: it is not left to the next worker."""
        take = super().create_task_handler(*args, **kwargs)

        def take_or_drop(message: Any) -> None:
            try:
                take(message)
            except _OF_ANOTHER_SHAPE as error:
                log.error("no task's message, dropped: %s", type(error).__name__)
                message.reject_log_error(log, self.connection_errors)

        return take_or_drop
