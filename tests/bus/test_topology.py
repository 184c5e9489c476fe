"""Streams and consumers come to be what the settings say, whoever else is at it."""

import asyncio
from typing import Any

import pytest

from bus.helpers import Connecting
from lockstep.bus import api, topology
from lockstep.bus.connection import Connection
from lockstep.bus.errors import JetStreamRefused
from lockstep.bus.publisher import Publisher


async def info(connection: Connection, what: str) -> dict[str, Any]:
    config: dict[str, Any] = (await api.call(connection, what))["config"]
    return config


async def test_what_is_applied_once_needs_nothing_the_second_time(connecting: Connecting) -> None:
    connection = await connecting(lanes=["slow", "bulk"])
    done = await topology.apply(connection)
    assert len(done) == 6 + 5
    assert await topology.apply(connection) == []
    assert await topology.missing(connection) == []


async def test_five_replicas_apply_at_the_same_moment(connecting: Connecting) -> None:
    replicas = [await connecting(lanes=["slow"]) for _ in range(5)]
    done = await asyncio.gather(*(topology.apply(one) for one in replicas))
    created = [line for lines in done for line in lines if "created" in line]
    assert len(set(created)) == 6 + 4
    assert await topology.missing(replicas[0]) == []


async def test_five_replicas_update_at_the_same_moment(connecting: Connecting) -> None:
    await topology.apply(await connecting())
    replicas = [await connecting(lanes=["slow"], runs_max_age_days=1) for _ in range(5)]
    await asyncio.gather(*(topology.apply(one) for one in replicas))
    assert await topology.missing(replicas[0]) == []


async def test_replicas_of_two_releases_apply_at_the_same_moment(connecting: Connecting) -> None:
    """Each makes other streams at first, and none of them fails."""
    replicas = [await connecting(runs_max_age_days=1 + i % 2, lanes=["x"]) for i in range(6)]
    await asyncio.gather(*(topology.apply(one) for one in replicas))
    faults = [await topology.missing(one) for one in replicas[:2]]
    assert sorted(map(len, faults)) == [0, 1]


async def test_a_changed_setting_updates_and_keeps_what_an_operator_added(
    connecting: Connecting,
) -> None:
    before = await connecting()
    await topology.apply(before)
    name = before.names.runs_stream
    config = await info(before, f"STREAM.INFO.{name}")
    await api.call(before, f"STREAM.UPDATE.{name}", {**config, "description": "ours"})

    after = await connecting(
        runs_max_age_days=1, ack_wait_seconds=7, triggers_max_bytes=1_000_000, lanes=["slow"]
    )
    done = await topology.apply(after)
    assert f"stream {name} updated: max_age is 604800 s, not 86400 s" in done
    assert len(done) == 6
    config = await info(after, f"STREAM.INFO.{name}")
    assert config["description"] == "ours"
    engine = await info(after, f"CONSUMER.INFO.{after.names.triggers_stream}.engine")
    assert engine["ack_wait"] == 7e9
    triggers = await info(after, f"STREAM.INFO.{after.names.triggers_stream}")
    assert triggers["max_bytes"] == 1_000_000
    assert triggers["max_msg_size"] == after.max_payload - 8192


async def test_a_bucket_of_others_becomes_what_it_shall_be_and_keeps_its_keys(
    connecting: Connecting, prefix: str
) -> None:
    """Such as one that was made by hand, as KV buckets are by default."""
    connection = await connecting()
    for bucket in (connection.names.delays_bucket, connection.names.workers_bucket):
        plain = {
            "name": f"KV_{bucket}",
            "subjects": [f"$KV.{bucket}.>"],
            "discard": "new",
            "max_msgs_per_subject": 1,
            "allow_rollup_hdrs": True,
            "deny_delete": True,
        }
        await api.call(connection, f"STREAM.CREATE.KV_{bucket}", plain)
        await Publisher(connection).publish(f"$KV.{bucket}.mine", b"1", {})
    done = await topology.apply(connection)
    workers = next(line for line in done if line.startswith(f"stream KV_{prefix}_workers updated"))
    assert "subject_delete_marker_ttl is not set, not 60 s" in workers
    assert await topology.missing(connection) == []
    kept = await api.call(connection, f"STREAM.INFO.KV_{prefix}_delays")
    assert kept["state"]["messages"] == 1


async def test_what_another_stream_holds_of_a_bucket_is_named(
    connecting: Connecting, prefix: str
) -> None:
    connection = await connecting()
    taker = f"{prefix}_taker"
    await api.call(
        connection, f"STREAM.CREATE.{taker}", {"name": taker, "subjects": [f"$KV.{prefix}_waits.>"]}
    )
    try:
        with pytest.raises(JetStreamRefused, match=f"its subjects belong to {taker}"):
            await topology.apply(connection)
    finally:
        await api.call(connection, f"STREAM.DELETE.{taker}")


async def test_missing_names_all_that_is_absent_or_different(connecting: Connecting) -> None:
    connection = await connecting()
    names = connection.names
    assert await topology.missing(connection) == [
        f"stream {names.triggers_stream} is missing",
        f"stream {names.runs_stream} is missing",
        f"stream {names.dead_stream} is missing",
        *(f"stream KV_{names.prefix}_{what} is missing" for what in ("delays", "waits", "workers")),
        f"consumer {names.triggers_stream}.engine is missing",
        *(f"consumer KV_{names.prefix}_{what}.engine is missing" for what in ("delays", "waits")),
    ]
    await topology.apply(connection)
    other = await connecting(lanes=["slow"], max_ack_pending=5)
    every, slow = names.trigger(">"), names.trigger(">", "slow")
    assert await topology.missing(other) == [
        f"stream {names.triggers_stream}: subjects is {every}, not {every}, {slow}",
        f"consumer {names.triggers_stream}.engine: max_ack_pending is 2000, not 5",
        f"consumer {names.triggers_stream}.lane-slow is missing",
        f"consumer KV_{names.prefix}_delays.engine: max_ack_pending is 2000, not 5",
        f"consumer KV_{names.prefix}_waits.engine: max_ack_pending is 2000, not 5",
    ]


async def test_what_the_server_refuses_is_said_with_the_fields_it_is_about(
    connecting: Connecting,
) -> None:
    connection = await connecting()
    await topology.apply(connection)
    memory = await connecting(storage="memory")
    with pytest.raises(
        JetStreamRefused, match=r"_TRIGGERS cannot be changed \(storage is file, not memory"
    ):
        await topology.apply(memory)


async def test_the_stream_that_has_our_subjects_is_named(
    connecting: Connecting, prefix: str
) -> None:
    connection = await connecting()
    taker = f"{prefix}_taker"
    await api.call(
        connection, f"STREAM.CREATE.{taker}", {"name": taker, "subjects": [f"{prefix}.>"]}
    )
    with pytest.raises(JetStreamRefused, match=f"its subjects belong to {taker}"):
        await topology.apply(connection)
    await api.call(connection, f"STREAM.DELETE.{taker}")


async def test_a_stream_of_another_prefix_is_left_alone(
    connecting: Connecting, prefix: str
) -> None:
    await topology.apply(await connecting())
    other = await connecting(prefix=prefix.upper())
    with pytest.raises(JetStreamRefused, match="it is not ours; choose another prefix"):
        await topology.apply(other)
