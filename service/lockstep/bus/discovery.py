"""Makes a service visible to NATS tools: `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS`.

The answers are those of `nats.micro`, the rest of it is not used: it runs one request of an
endpoint at a time, sends exceptions to strangers, and forgets replies when it stops.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import uuid4

import structlog
from nats.aio.subscription import Subscription
from nats.micro.service import (
    EndpointInfo,
    EndpointStats,
    ServiceInfo,
    ServicePing,
    ServiceStats,
    ServiceVerb,
    control_subject,
)

from lockstep.bus.connection import Connection
from lockstep.model.errors import Unavailable

log = structlog.get_logger()

QUEUE: Final = "q"


class Counters:
    """What one endpoint has done since it was started."""

    __slots__ = ("errors", "last_error", "name", "ns", "requests", "subject")

    def __init__(self, name: str, subject: str) -> None:
        self.name, self.subject = name, subject
        self.requests = self.errors = self.ns = 0
        self.last_error = ""

    def add(self, began: float, error: str) -> None:
        """Count a request that began at `began` (of `time.perf_counter`)."""
        self.requests += 1
        self.ns += round((time.perf_counter() - began) * 1e9)
        if error:
            self.errors += 1
            self.last_error = error


class Discovery:
    """Answers who is there, with what endpoints, and how they do."""

    def __init__(
        self,
        connection: Connection,
        name: str,
        version: str,
        metadata: Mapping[str, str],
        counters: Iterable[Counters],
    ) -> None:
        self._connection = connection
        self.id = uuid4().hex
        self._name, self._version = name, version
        self._metadata = dict(metadata)
        self._counters = counters
        self._started = datetime.now(UTC)

    async def start(self) -> list[Subscription]:
        """Subscribe; the caller releases the subscriptions."""
        answers: dict[ServiceVerb, Callable[[], dict[str, Any]]] = {
            ServiceVerb.PING: self._ping,
            ServiceVerb.INFO: self._info,
            ServiceVerb.STATS: self._stats,
        }
        return [
            await self._connection.listen(
                control_subject(verb, name=name, id=instance),
                partial(self._answer, answer),
            )
            for verb, answer in answers.items()
            for name, instance in ((None, None), (self._name, None), (self._name, self.id))
        ]

    def _answer(
        self, answer: Callable[[], dict[str, Any]], _: bytes, reply: bytes, __: bytes, ___: bytes
    ) -> None:
        if not reply:
            return
        try:
            body = json.dumps(answer()).encode()
            self._connection.post(reply.decode(), body)
        except (Unavailable, UnicodeDecodeError) as error:
            log.info("discovery.unanswered", error=error)

    def _ping(self) -> dict[str, Any]:
        return ServicePing(self.id, self._name, self._version, self._metadata).to_dict()

    def _info(self) -> dict[str, Any]:
        endpoints = [EndpointInfo(one.name, one.subject, QUEUE) for one in self._counters]
        return ServiceInfo(
            self._name,
            self.id,
            self._version,
            "Lockstep: durable automations",
            endpoints,
            self._metadata,
        ).to_dict()

    def _stats(self) -> dict[str, Any]:
        endpoints = [
            EndpointStats(
                name=one.name,
                subject=one.subject,
                queue_group=QUEUE,
                num_requests=one.requests,
                num_errors=one.errors,
                processing_time=one.ns,
                average_processing_time=one.ns // max(1, one.requests),
                last_error=one.last_error or None,
            )
            for one in self._counters
        ]
        return ServiceStats(
            self.id, self._name, self._version, self._started, endpoints, self._metadata
        ).to_dict()
