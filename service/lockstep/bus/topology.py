"""Streams and durable consumers: what they shall be, and how they come to be it."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec
import structlog

from lockstep.bus import api
from lockstep.bus.api import ApiError
from lockstep.bus.connection import Connection
from lockstep.bus.errors import JetStreamRefused
from lockstep.bus.names import ENGINE, Kind
from lockstep.bus.settings import BusSettings
from lockstep.model.errors import EngineError, ServerUnfit, Unavailable

log = structlog.get_logger()

DEAD_LETTER_ROOM_BYTES: Final = 8 * 1024
"""What the headers of a dead letter may add to an event."""

_RACES: Final = frozenset({10013, 10014, 10058, 10059, 10065, 10105, 10148})
"""Errors that mean, at first, that another replica was quicker or slower than we."""
_OVERLAP: Final = 10065  # the server's code for subjects that another stream has
_TRIES: Final = 6  # so many replicas that start at once may get in our way, one after another
_PATIENCE_SECONDS: Final = 30.0  # a cluster that has just been started elects its leaders
_DURATIONS: Final = frozenset(
    {"max_age", "duplicate_window", "ack_wait", "subject_delete_marker_ttl"}
)
_MARKER_SECONDS: Final = 60
"""How long the server remembers that a key of a worker expired, for whoever was away."""

Config = Mapping[str, Any]


class Consumer(msgspec.Struct, frozen=True):
    """A durable consumer that shall be there."""

    stream: str
    config: Config


class Wanted(msgspec.Struct, frozen=True):
    """All that shall be there. What a configuration does not name is left as it is found."""

    streams: tuple[Config, ...]
    consumers: tuple[Consumer, ...]


def wanted(connection: Connection) -> Wanted:
    """Say what the settings and the server's largest message ask for."""
    settings, names = connection.settings, connection.names
    triggers = {
        **_stream(settings, names.triggers_stream),
        "subjects": [
            names.trigger(">"),
            *(names.trigger(">", lane) for lane in settings.lanes),
            # See `bus.reading.unhandled`: one server knows what it has stored.
            *([names.marker] if settings.replicas > 1 else []),
        ],
        "retention": "workqueue",
        "discard": "new",
        "max_bytes": settings.triggers_max_bytes or -1,
        "max_msg_size": max(1024, connection.max_payload - DEAD_LETTER_ROOM_BYTES),
        # Any publisher could send the headers that these would put in force.
        "allow_rollup_hdrs": False,
        "allow_msg_ttl": False,
        "allow_msg_schedules": False,
    }
    runs = {
        **_stream(settings, names.runs_stream),
        "subjects": [f"{settings.prefix}.run.>", f"{settings.prefix}.automation.>"],
        "max_age": _ns(settings.runs_max_age_days * 86_400),
        "max_bytes": settings.runs_max_bytes or -1,
    }
    dead = {
        **_stream(settings, names.dead_stream),
        "subjects": [f"{settings.prefix}.dead.>"],
        "max_age": _ns(settings.dead_max_age_days * 86_400),
    }
    lanes = (
        _consumer(
            settings, triggers["name"], names.consumer(lane), filtered=names.trigger(">", lane)
        )
        for lane in ("", *settings.lanes)
    )
    buckets, wakers = _buckets(connection)
    return Wanted((triggers, runs, dead, *buckets), (*lanes, *wakers))


def _buckets(connection: Connection) -> tuple[list[Config], list[Consumer]]:
    """Say what the KV buckets shall be, and the groups that read what the server wakes.

    Source: ADR-8 (KV), ADR-43 (time to live), ADR-51 (schedules) of the NATS architecture
    records. Schedules need `discard: old`, which is not what KV buckets have by default.
    """
    settings, names = connection.settings, connection.names
    streams: list[Config] = []
    consumers: list[Consumer] = []
    kinds: tuple[tuple[Kind, str], ...] = (
        ("delay", names.delays_bucket),
        ("wait", names.waits_bucket),
    )
    for kind, bucket in kinds:
        stream, wakes = _bucket(connection, bucket), names.wake(kind, ">")
        stream["subjects"].append(wakes)
        streams.append({**stream, "allow_msg_schedules": True})
        consumers.append(_consumer(settings, stream["name"], ENGINE, filtered=wakes))
    workers = _bucket(connection, names.workers_bucket)
    streams.append({**workers, "subject_delete_marker_ttl": _ns(_MARKER_SECONDS)})
    return streams, consumers


def _bucket(connection: Connection, bucket: str) -> dict[str, Any]:
    names = connection.names
    return {
        **_stream(connection.settings, names.bucket_stream(bucket)),
        "subjects": [names.key(bucket, ">")],
        "max_msgs_per_subject": 1,
        "max_age": 0,  # it would end schedules too
        "allow_rollup_hdrs": True,
        "allow_direct": True,
        "allow_msg_ttl": True,
        "deny_delete": True,
    }


async def apply(connection: Connection) -> list[str]:
    """Create what is missing and update what differs; any number of replicas may do so at once.

    Returns:
        What was done, a line each; empty when all was well.

    Raises:
        ServerUnfit: The server refuses a configuration; the message says which and why.
        Unavailable: JetStream did not settle within 30 s.
    """
    done: list[str] = []
    goal = wanted(connection)
    for stream in goal.streams:
        await _patiently(partial(_apply_stream, connection, stream, done))
    for consumer in goal.consumers:
        await _patiently(partial(_apply_consumer, connection, consumer, done))
    await _patiently(partial(_warn_of_left_lanes, connection, goal))
    return done


async def prepare(connection: Connection) -> None:
    """Make streams and consumers as they must be, or refuse where that is not ours to do.

    Raises:
        ServerUnfit: `manage_bus` is off, and something is missing or different; or as `apply`.
        Unavailable: JetStream did not settle within 30 s.
    """
    if connection.settings.manage_bus:
        await apply(connection)
    elif lacking := await missing(connection):
        raise ServerUnfit(
            "nats.manage_bus is off, and the bus is not as it must be: " + "; ".join(lacking)
        )


async def gone(connection: Connection) -> list[str]:
    """Name the streams and groups that are not there; groups of a missing stream go with it.

    Raises:
        Unavailable: JetStream gave no answer.
        ServerUnfit: It refuses to tell.
    """
    goal = wanted(connection)
    names = [stream["name"] for stream in goal.streams]
    try:
        lost = [
            f"stream {name}"
            for name in names
            if await _found(connection, f"STREAM.INFO.{name}") is None
        ]
        for one in goal.consumers:
            name = f"{one.stream}.{one.config['durable_name']}"
            is_left = f"stream {one.stream}" not in lost
            if is_left and await _found(connection, f"CONSUMER.INFO.{name}") is None:
                lost.append(f"consumer {name}")
    except ApiError as error:
        raise error.as_refusal() from None
    return lost


async def missing(connection: Connection) -> list[str]:
    """Say what an operator would have to create or change, a line each; empty when all is well.

    Raises:
        Unavailable: JetStream gave no answer.
        ServerUnfit: It refuses to tell.
    """
    try:
        return await _faults(connection, wanted(connection))
    except ApiError as error:
        raise error.as_refusal() from None


async def _faults(connection: Connection, goal: Wanted) -> list[str]:
    faults: list[str] = []
    for stream in goal.streams:
        name = stream["name"]
        found = await _found(connection, f"STREAM.INFO.{name}")
        if found is None:
            faults.append(f"stream {name} is missing")
        else:
            faults += (f"stream {name}: {line}" for line in differences(found, stream))
    for consumer in goal.consumers:
        name = f"{consumer.stream}.{consumer.config['durable_name']}"
        found = await _found(connection, f"CONSUMER.INFO.{name}")
        if found is None:
            faults.append(f"consumer {name} is missing")
        else:
            faults += (f"consumer {name}: {line}" for line in differences(found, consumer.config))
    return faults


def differences(found: Config, goal: Config) -> list[str]:
    """Name the fields of `goal` that `found` has otherwise."""
    return [
        f"{field} is {_shown(field, found.get(field))}, not {_shown(field, value)}"
        for field, value in goal.items()
        if _comparable(found.get(field), value) != _comparable(value, value)
    ]


def _stream(settings: BusSettings, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "retention": "limits",
        "discard": "old",
        "storage": settings.storage,
        "num_replicas": settings.replicas,
        "duplicate_window": _ns(settings.duplicate_window_seconds),
    }


def _consumer(settings: BusSettings, stream: str, name: str, *, filtered: str) -> Consumer:
    config = {
        "durable_name": name,
        "name": name,
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "ack_wait": _ns(settings.ack_wait_seconds),
        "max_ack_pending": settings.max_ack_pending,
        "max_deliver": -1,
        "filter_subject": filtered,
        "replay_policy": "instant",
    }
    return Consumer(stream, config)


async def _apply_stream(connection: Connection, goal: Config, done: list[str]) -> None:
    name = goal["name"]
    found = await _found(connection, f"STREAM.INFO.{name}")
    lines = [] if found is None else differences(found, goal)
    if found is not None:
        _check_ours(connection, goal, found)
        if not lines:
            return
    verb, word = ("CREATE", "created") if found is None else ("UPDATE", "changed")
    try:
        answer = await api.call(connection, f"STREAM.{verb}.{name}", {**(found or {}), **goal})
    except ApiError as error:
        why = "; ".join(lines)
        takers = await _takers(connection, goal) if error.err_code == _OVERLAP else ""
        if takers:
            why = f"its subjects belong to {takers}"
        error.about = f"stream {name} cannot be {word}{f' ({why})' if why else ''}"
        if takers:
            raise error.as_refusal() from None  # not another replica that was quicker
        raise
    if found is None and answer.get("did_create"):
        done.append(f"stream {name} created")
        log.info("stream.created", stream=name)
    elif lines:
        done.append(f"stream {name} updated: {'; '.join(lines)}")
        log.info("stream.updated", stream=name, changes=lines)


async def _takers(connection: Connection, goal: Config) -> str:
    """Name the other streams that take the subjects of `goal`."""
    names: set[str] = set()
    for subject in goal["subjects"]:
        answer = await api.call(connection, "STREAM.NAMES", {"subject": subject})
        names.update(answer.get("streams") or [])
    return ", ".join(sorted(names - {goal["name"]}))


def _check_ours(connection: Connection, goal: Config, found: Config) -> None:
    """Refuse to change a stream whose subjects are all of another prefix (`A` and `a` collide)."""
    subjects = found.get("subjects") or []
    mine = f"{connection.settings.prefix}."
    if subjects and not any(
        subject.startswith(mine) or subject in goal["subjects"] for subject in subjects
    ):
        raise JetStreamRefused(
            f"stream {goal['name']} exists and takes {', '.join(subjects)}: it is not ours; "
            "choose another prefix"
        )


async def _apply_consumer(connection: Connection, goal: Consumer, done: list[str]) -> None:
    name = f"{goal.stream}.{goal.config['durable_name']}"
    found = await _found(connection, f"CONSUMER.INFO.{name}")
    lines = differences(found, goal.config) if found is not None else []
    if found is not None and not lines:
        return
    # With its filter in the subject, as a server demands of those whose rights depend on it.
    where = f"CONSUMER.CREATE.{name}.{goal.config['filter_subject']}"
    config = {**(found or {}), **goal.config}
    try:
        await api.call(connection, where, {"stream_name": goal.stream, "config": config})
    except ApiError as error:
        error.about = f"consumer {name} cannot be set up ({'; '.join(lines) or 'it is new'})"
        raise
    what = f"updated: {'; '.join(lines)}" if lines else "created"
    done.append(f"consumer {name} {what}")
    log.info("consumer.updated" if lines else "consumer.created", consumer=name, changes=lines)


async def _warn_of_left_lanes(connection: Connection, goal: Wanted) -> None:
    """Say which lanes still have events though the settings do not name them any more.

    Their consumers stay: a replica with other settings may use them during an upgrade.
    """
    known = {consumer.config["durable_name"] for consumer in goal.consumers}
    stream = connection.names.triggers_stream
    for consumer in await consumers(connection, stream):
        waiting = consumer.get("num_pending", 0) + consumer.get("num_ack_pending", 0)
        if waiting and consumer["name"] not in known and consumer["name"].startswith("lane-"):
            log.warning("lane.left", consumer=consumer["name"], waiting=waiting)


async def consumers(
    connection: api.Askable, stream: str, seconds: float = api.CALL_SECONDS
) -> list[dict[str, Any]]:
    """Give what the server tells of all groups of a stream. Raise ApiError, Unavailable."""
    found, what, is_over = list[dict[str, Any]](), f"CONSUMER.LIST.{stream}", False
    while not is_over:
        answer = await api.call(connection, what, {"offset": len(found)}, seconds=seconds)
        found += (page := answer.get("consumers") or [])
        is_over = not page or len(found) >= answer.get("total", 0)
    return found


async def _found(connection: Connection, what: str) -> Config | None:
    try:
        config: Config = (await api.call(connection, what))["config"]
    except ApiError as error:
        if error.err_code in api.NOT_FOUND:
            return None
        raise
    return config


async def _patiently(step: Callable[[], Awaitable[None]]) -> None:
    """Run `step` until no other replica gets in its way and JetStream has a leader."""
    deadline, tries = time.monotonic() + _PATIENCE_SECONDS, 0
    last: EngineError
    while True:
        try:
            return await step()
        except ApiError as error:
            tries += 1
            last = error.as_refusal()
            racing = error.err_code in _RACES and tries < _TRIES
            if not (racing or isinstance(last, Unavailable)):
                raise last from None
        except Unavailable as error:
            last = error
        if time.monotonic() > deadline:
            raise last
        await asyncio.sleep(random.uniform(0.02, 0.2) * (tries + 1))  # noqa: S311 - spreads them


def _comparable(value: object, like: object) -> object:
    """Bring a value of the server, who leaves out what is false, to the form of the goal's."""
    if isinstance(like, list):
        return sorted(value) if isinstance(value, list) else []
    return type(like)() if value is None and isinstance(like, bool | int) else value


def _shown(field: str, value: object) -> str:
    if field in _DURATIONS and isinstance(value, int):
        return f"{value / 1e9:g} s"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "not set" if value is None else str(value)


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
