"""What a look at NATS finds: version, clock, rights, streams and groups, what a power cut costs."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from lockstep.bus import api
from lockstep.bus.connection import Connection, connect
from lockstep.bus.settings import BusSettings
from lockstep.bus.topology import consumers, missing, wanted
from lockstep.model.errors import EngineError
from lockstep.model.findings import Finding, clock, fault, fine, unknown, warning

ASK_SECONDS: Final = 2.0  # without the right to ask there is no answer at all
_SECRETS: Final = "nats.user, nats.credentials_file and their like"


class Rights(msgspec.Struct, frozen=True):
    """What is allowed and denied; without `allow` all that is not denied is allowed."""

    allow: list[str] = []
    deny: list[str] = []


class Permissions(msgspec.Struct, frozen=True):
    """The rights of a user."""

    publish: Rights = Rights()
    subscribe: Rights = Rights()


class _User(msgspec.Struct):
    account: str = ""
    permissions: Permissions = Permissions()


class _ServerInfo(msgspec.Struct):
    time: datetime


class _UserInfo(msgspec.Struct):
    """The answer of `$SYS.REQ.USER.INFO`."""

    server: _ServerInfo
    data: _User


class _JetStream(msgspec.Struct):
    # In ns; `sync_always` stands for it where each message is synced.
    sync_interval: Annotated[int, Meta(ge=0)] = 0
    sync_always: bool = False


class _Monitored(msgspec.Struct):
    """What `/jsz?config=1` of the monitoring port, or its like on the bus, tells."""

    config: _JetStream


class _MonitoredOnBus(msgspec.Struct):
    data: _Monitored


async def examine(
    settings: BusSettings, monitored: bytes | None, patience_seconds: float
) -> list[Finding]:
    """Look at NATS, trying for `patience_seconds` to reach it.

    `monitored` is what its monitoring port says of JetStream, where that is known.
    Nothing is changed, and nothing is published that anybody listens to.
    """
    try:
        connection = await connect(settings, patience_seconds=patience_seconds)
    except EngineError as error:
        mend = f"start it, or see nats.servers, {_SECRETS}"
        return [fault("nats.server", str(error), mend)]
    try:
        version = connection.wire.connected_server_version
        about = f"NATS {version.major}.{version.minor}.{version.patch} at {connection.server}"
        found = [fine("nats.server", f"{about}, with JetStream")]
        found += await _user(connection)
        found += await _streams(connection)
        found.append(await _lanes(connection))
        found.append(await _sync(connection, monitored))
        return found
    finally:
        await connection.close()


async def _user(connection: Connection) -> list[Finding]:
    """Look at the clock of the server and at the rights of the user."""
    before = time.time()
    try:
        answer = await connection.ask("$SYS.REQ.USER.INFO", b"", b"", ASK_SECONDS)
        info = msgspec.json.decode(answer.body, type=_UserInfo)
    except (EngineError, msgspec.DecodeError) as error:
        hint = "let the user publish to $SYS.REQ.USER.INFO"
        return [
            unknown("nats.clock", f"the server does not tell its time: {error}", hint),
            unknown("nats.rights", f"the server does not tell our rights: {error}", hint),
        ]
    after = time.time()
    return [
        clock("nats.clock", "NATS", info.server.time, before, after),
        rights(connection, info.data.permissions),
    ]


def rights(connection: Connection, permissions: Permissions) -> Finding:
    """Compare the rights of the user with what the engine does."""
    publish, subscribe = needed(connection)
    lacking = [
        *(f"publish {one}" for one in publish if not allows(permissions.publish, one)),
        *(f"subscribe {one}" for one in subscribe if not allows(permissions.subscribe, one)),
    ]
    if not lacking:
        return fine("nats.rights", "the user may do what the engine does")
    mend = "give the user of the engine these rights in its account"
    return fault("nats.rights", f"the user may not: {', '.join(lacking)}", mend)


def needed(connection: Connection) -> tuple[Sequence[str], Sequence[str]]:
    """Name subjects as the engine publishes and subscribes them; `x` stands for any word."""
    names = connection.names
    publish = [names.run("x", "x"), names.automation("x", "x"), names.dead("x"), names.worker("x")]
    publish += [names.action("x.x"), names.trigger("x")]
    if connection.settings.replicas > 1:
        publish.append(names.marker)
    for bucket in (names.delays_bucket, names.waits_bucket, names.workers_bucket):
        publish.append(names.key(bucket, "x"))
    publish += [f"$JS.API.{call}" for call in _calls(connection)]
    publish += [
        f"$JS.ACK.{one.stream}.{one.config['durable_name']}.1.1.1.1.1"
        for one in wanted(connection).consumers
    ]
    inbox = f"{connection.settings.inbox_prefix}.x"
    return publish, [inbox, names.api("x.x"), names.worker("x"), "$SRV.PING"]


def _calls(connection: Connection) -> Iterator[str]:
    """Name the calls of JetStream that the engine makes."""
    names, manages, goal = connection.names, connection.settings.manage_bus, wanted(connection)
    yield "INFO"
    for config in goal.streams:
        verbs = ("INFO", "CREATE", "UPDATE") if manages else ("INFO",)
        yield from (f"STREAM.{verb}.{config['name']}" for verb in verbs)
    for consumer in goal.consumers:
        name = f"{consumer.stream}.{consumer.config['durable_name']}"
        yield from (f"CONSUMER.INFO.{name}", f"CONSUMER.MSG.NEXT.{name}")
        if manages:
            yield f"CONSUMER.CREATE.{name}.{consumer.config['filter_subject']}"
    if manages:
        yield "STREAM.NAMES"
    # Which events are not handled yet.
    yield f"CONSUMER.LIST.{names.triggers_stream}"
    yield f"STREAM.MSG.GET.{names.triggers_stream}"
    if connection.settings.replicas > 1:
        yield f"STREAM.PURGE.{names.triggers_stream}"
    # Run events that may have been sent, dead letters, keys of workers: read by groups that pass.
    for stream, subject in (
        (names.runs_stream, names.run("x", "x")),
        (names.dead_stream, names.dead("x")),
        (names.bucket_stream(names.workers_bucket), names.key(names.workers_bucket, ">")),
    ):
        yield from (f"CONSUMER.CREATE.{stream}.x.{subject}", f"CONSUMER.DELETE.{stream}.x")
    yield f"CONSUMER.MSG.NEXT.{names.runs_stream}.x"
    for call in ("MSG.GET", "MSG.DELETE", "PURGE"):
        yield f"STREAM.{call}.{names.dead_stream}"


def allows(given: Rights, subject: str) -> bool:
    """Say whether rights cover a subject; one with wildcards is covered as a whole."""
    return (not given.allow or _any(given.allow, subject)) and not _any(given.deny, subject)


def _any(patterns: Iterable[str], subject: str) -> bool:
    return any(covers(pattern.partition(" ")[0], subject) for pattern in patterns)


def covers(pattern: str, subject: str) -> bool:
    """Say whether a subject, or each subject that it stands for, is matched by a pattern."""
    words = subject.split(".")
    parts = pattern.split(".")
    for place, part in enumerate(parts):
        if part == ">":
            return len(words) > place
        if place >= len(words) or words[place] == ">" or part not in ("*", words[place]):
            return False
    return len(parts) == len(words)


async def _streams(connection: Connection) -> list[Finding]:
    """Compare streams, buckets and groups with what the settings ask for."""
    try:
        lines = await missing(connection)
    except EngineError as error:
        mend = "let the user publish to $JS.API.STREAM.INFO.> and $JS.API.CONSUMER.INFO.>"
        return [fault("nats.streams", f"JetStream does not tell: {error}", mend)]
    mend = "make it as the settings say, or change these"
    if connection.settings.manage_bus:
        mend = "start an engine: it makes streams and groups as the settings say"
    found = [fault("nats.streams", line, mend) for line in lines]
    goal = wanted(connection)
    number = f"{len(goal.streams)} streams and {len(goal.consumers)} groups"
    if not found:
        found.append(fine("nats.streams", f"{number} are as the settings say"))
    if connection.settings.storage == "memory":
        mend = "set nats.storage to `file`"
        text = "streams are in memory: a restart of NATS loses every event"
        found.append(warning("nats.storage", text, mend))
    return found


async def _lanes(connection: Connection) -> Finding:
    """Look for events in lanes that nobody takes."""
    names = connection.names
    stream, of_lanes = names.triggers_stream, names.trigger(">", "*")
    try:
        info = await api.call(connection, f"STREAM.INFO.{stream}", {"subjects_filter": of_lanes})
        groups = await consumers(connection, stream)
    except EngineError as error:
        return unknown("nats.lanes", f"lanes cannot be looked at: {error}", "see nats.streams")
    waiting = Counter[str]()
    for subject, number in (info["state"].get("subjects") or {}).items():
        waiting[names.event(subject)[0]] += number
    taken = {names.lane(one["name"]) for one in groups}
    left = [f"{one} ({waiting[one]} events)" for one in sorted(waiting) if one not in taken]
    if not left:
        return fine("nats.lanes", "each lane with events has a consumer")
    text = f"nobody takes the events of lanes: {', '.join(left)}; they hold nothing up"
    mend = "name the lane in nats.lanes, or purge its subject from the stream"
    return warning("nats.lanes", text, mend)


async def _sync(connection: Connection, monitored: bytes | None) -> Finding:
    """Say when NATS writes to the disk what it has acknowledged."""
    mend = "run `lockstep doctor --nats-monitor http://HOST:8222`, with http_port set in NATS"
    try:
        if monitored is None:
            subject = "$SYS.REQ.SERVER.PING.JSZ"
            answer = await connection.ask(subject, b'{"config":true}', b"", ASK_SECONDS)
            config = msgspec.json.decode(answer.body, type=_MonitoredOnBus).data.config
        else:
            config = msgspec.json.decode(monitored, type=_Monitored).config
    except (EngineError, msgspec.DecodeError):
        return unknown("nats.sync", "NATS tells its sync_interval to its operators only", mend)
    if config.sync_always:
        return fine("nats.sync", "NATS acknowledges what is on the disk (sync_interval: always)")
    seconds = config.sync_interval / 1e9
    replicas = connection.settings.replicas
    text = f"NATS writes to the disk every {seconds:g} s: a power cut loses what came since"
    if replicas > 1:
        return fine("nats.sync", f"{text} on one server; there are {replicas} copies")
    return warning("nats.sync", text, "set `sync_interval: always`, or nats.replicas to 3")
