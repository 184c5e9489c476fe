"""The accounts of `deploy/nats`: each right and each refusal, on a server with these files."""

import json

import nats.errors
import pytest

from deploy.clients import connected
from deploy.machines import USERS, Bus
from lockstep import bus
from lockstep.model.errors import ServerUnfit
from patience import LIMIT_SECONDS, until

STREAMS = ("LOCKSTEP_TRIGGERS", "LOCKSTEP_RUNS", "LOCKSTEP_DEAD")
BUCKETS = ("lockstep_delays", "lockstep_waits", "lockstep_workers")
ALL_STREAMS = (*STREAMS, *(f"KV_{bucket}" for bucket in BUCKETS))
SRV = ("$SRV.PING", "$SRV.INFO.lockstep", "$SRV.STATS.lockstep.id")

ORDERS = {"lockstep.trigger.orders.created", "lockstep.lane.fast.trigger.orders.created"}
OTHERS = {"lockstep.trigger.billing.paid", "lockstep.lane.fast.trigger.billing.paid"}
DONE = "lockstep.trigger.lockstep.action.done"
REGISTER = {"lockstep.api.catalog.actions.register", "lockstep.api.catalog.triggers.register"}
HISTORY = {f"JS.lockstep.API.STREAM.{what}.LOCKSTEP_RUNS" for what in ("INFO", "MSG.GET")}
API = {"lockstep.api.automations.delete", "lockstep.api.runs.start"}

ENGINE = {
    *ORDERS, *OTHERS, DONE, "lockstep.run.a.started", "lockstep.automation.a.created",
    "lockstep.dead.orders.created", "lockstep.worker.w", "lockstep.action.mailer.send",
    "lockstep.secret", "lockstep.notify", "$JS.API.INFO", "$JS.API.STREAM.NAMES",
    "$SYS.REQ.USER.INFO",
    *(f"$KV.{bucket}.key" for bucket in BUCKETS),
    *(f"$JS.API.STREAM.{do}.{name}" for do in ("INFO", "CREATE", "UPDATE") for name in ALL_STREAMS),
    "$JS.API.CONSUMER.LIST.LOCKSTEP_TRIGGERS", "$JS.API.STREAM.MSG.GET.LOCKSTEP_TRIGGERS",
    "lockstep.marker", "$JS.API.STREAM.PURGE.LOCKSTEP_TRIGGERS",
    *(f"$JS.API.CONSUMER.INFO.{name}.engine" for name in ALL_STREAMS if "RUNS" not in name
      and "DEAD" not in name and "workers" not in name),
    "$JS.API.CONSUMER.INFO.LOCKSTEP_TRIGGERS.lane-fast",
    "$JS.API.CONSUMER.CREATE.LOCKSTEP_TRIGGERS.engine.lockstep.trigger.>",
    "$JS.API.CONSUMER.CREATE.LOCKSTEP_TRIGGERS.lane-fast.lockstep.lane.fast.trigger.>",
    "$JS.API.CONSUMER.CREATE.KV_lockstep_delays.engine.lockstep.wake.delay.>",
    "$JS.API.CONSUMER.CREATE.KV_lockstep_waits.engine.lockstep.wake.wait.>",
    "$JS.API.CONSUMER.CREATE.LOCKSTEP_RUNS.read-1.lockstep.run.a.started",
    "$JS.API.CONSUMER.CREATE.LOCKSTEP_DEAD.read-1.lockstep.dead.>",
    "$JS.API.CONSUMER.CREATE.KV_lockstep_workers.watch-1.$KV.lockstep_workers.>",
    *(f"$JS.API.CONSUMER.MSG.NEXT.{name}.engine" for name in ALL_STREAMS if "workers" not in name),
    "$JS.API.CONSUMER.DELETE.LOCKSTEP_RUNS.read-1", "$JS.API.CONSUMER.DELETE.LOCKSTEP_DEAD.read-1",
    "$JS.API.CONSUMER.DELETE.KV_lockstep_workers.watch-1",
    *(f"$JS.ACK.{name}.engine.1.1.1.1.1" for name in ("LOCKSTEP_TRIGGERS", "KV_lockstep_waits")),
    *(f"$JS.API.STREAM.{do}.LOCKSTEP_DEAD" for do in ("MSG.GET", "MSG.DELETE", "PURGE")),
    *(f"$JS.API.STREAM.PURGE.KV_{bucket}" for bucket in BUCKETS if "workers" not in bucket),
}  # fmt: skip

MAY_PUBLISH = {
    "engine": ENGINE,
    "publisher": ORDERS,
    "ops": HISTORY,
    "operator": {*API, *REGISTER, *SRV},
    "provider": {*REGISTER, DONE},
}
# What nobody may: not even the engine.
NOBODY = {
    *(f"$JS.API.STREAM.DELETE.{name}" for name in ALL_STREAMS),
    "$JS.API.STREAM.MSG.DELETE.LOCKSTEP_TRIGGERS", "$JS.API.STREAM.PURGE.LOCKSTEP_RUNS",
    "$JS.API.STREAM.MSG.DELETE.LOCKSTEP_RUNS",
    "$JS.API.CONSUMER.DELETE.LOCKSTEP_TRIGGERS.engine", "$JS.API.STREAM.CREATE.OTHER",
    "$JS.API.STREAM.SNAPSHOT.LOCKSTEP_RUNS", "$JS.API.STREAM.RESTORE.LOCKSTEP_RUNS",
    "$JS.API.SERVER.REMOVE", "$SYS.REQ.SERVER.PING", "anything", "lockstep", "lockstep.other",
    "lockstep.wake.delay.x",
}  # fmt: skip
PUBLISH = frozenset().union(*MAY_PUBLISH.values(), NOBODY)

RUNS = {"lockstep.run.>", "lockstep.run.a.started", "lockstep.automation.>"}
MAY_SUBSCRIBE = {
    "engine": {"lockstep.api.>", "lockstep.api.runs.list", "lockstep.worker.w", *SRV},
    "publisher": set[str](),
    "ops": RUNS,
    "operator": RUNS,
    "provider": {"lockstep.action.mailer.send", "lockstep.action.mailer.>"},
}
SUBSCRIBE = frozenset().union(
    *MAY_SUBSCRIBE.values(),
    {f"_INBOX_{name}.>" for name in USERS},
    {">", "lockstep.>", "_INBOX.>", "$JS.>", "$KV.>", "$SYS.>", "$SRV.>", "lockstep.action.>"},
    {"lockstep.action.pager.call", "lockstep.secret", "lockstep.notify", "lockstep.trigger.>"},
    {"lockstep.dead.>", "$JS.EVENT.>", "$JS.API.>"},
)


@pytest.mark.parametrize("name", USERS)
async def test_a_user_publishes_what_is_its_own_and_nothing_else(accounts: Bus, name: str) -> None:
    async with connected(accounts, name) as user:
        refused = await user.refusals("publish", PUBLISH)
        assert PUBLISH - refused == MAY_PUBLISH[name]


@pytest.mark.parametrize("name", USERS)
async def test_a_user_hears_what_is_its_own_and_nothing_else(accounts: Bus, name: str) -> None:
    async with connected(accounts, name) as user:
        refused = await user.refusals("subscribe", SUBSCRIBE)
        assert SUBSCRIBE - refused == {*MAY_SUBSCRIBE[name], f"_INBOX_{name}.>"}


async def test_the_system_account_sees_servers_and_nothing_of_lockstep(accounts: Bus) -> None:
    async with connected(accounts, "sys") as sys, connected(accounts, "engine") as engine:
        pong = json.loads(
            (await sys.client.request("$SYS.REQ.SERVER.PING", b"", timeout=LIMIT_SECONDS)).data
        )
        assert pong["server"]["name"] == "test"
        heard = await sys.client.subscribe("lockstep.run.>")
        await sys.client.flush()
        await engine.client.publish("lockstep.run.a.started", b"{}")
        await engine.client.flush()
        await sys.client.flush()
        assert heard.pending_msgs == 0
        with pytest.raises(nats.errors.NoRespondersError):
            await sys.client.request(
                "lockstep.trigger.orders.created", b"{}", timeout=LIMIT_SECONDS
            )


async def test_who_answers_may_answer_what_it_was_asked_once_and_nothing_else(
    accounts: Bus,
) -> None:
    async with connected(accounts, "provider") as user, connected(accounts, "engine") as engine:

        async def answer(message: nats.aio.msg.Msg) -> None:
            await message.respond(b"one")
            await message.respond(b"two")

        await user.client.subscribe("lockstep.action.mailer.send", cb=answer)
        await user.client.flush()
        replies = []

        async def asked() -> bool:
            # On a busy machine the server has been seen to tell the other account late of who
            # listens. A request that nobody heard is answered by nobody: it does not count.
            try:
                request = engine.client.request(
                    "lockstep.action.mailer.send", b"{}", timeout=LIMIT_SECONDS
                )
                replies.append((await request).data)
            except nats.errors.NoRespondersError:
                return False
            return True

        await until(asked)
        assert replies == [b"one"]
        await user.client.flush()
        await user.client.flush()
        assert [kind for kind, _ in user.refused] == ["publish"]


async def test_no_user_makes_the_server_publish_what_the_user_may_not(accounts: Bus) -> None:
    """The answer to a request goes where the request says, with the rights of the server."""
    async with (
        connected(accounts, "engine") as engine,
        connected(accounts, "publisher") as publisher,
        connected(accounts, "ops") as ops,
        connected(accounts, "operator") as operator,
        connected(accounts, "provider") as provider,
    ):
        js = engine.client.jetstream()
        await js.add_stream(name="LOCKSTEP_TRIGGERS", subjects=["lockstep.trigger.>"])
        await js.add_stream(name="LOCKSTEP_RUNS", subjects=["lockstep.run.>"])
        await js.publish("lockstep.run.a.started", b"{}")
        called = await engine.client.subscribe("lockstep.api.>")
        await engine.client.flush()
        stolen = "lockstep.trigger.billing.paid"
        for reply in (stolen, "lockstep.api.automations.delete", "lockstep.action.mailer.send"):
            await publisher.client.publish("lockstep.trigger.orders.created", b"{}", reply=reply)
        (subject,) = (one for one in HISTORY if "MSG.GET" in one)
        await ops.client.publish(subject, b'{"seq":1}', reply=stolen)
        await provider.client.publish(DONE, b"{}", reply=stolen)
        await operator.client.publish("lockstep.api.status", b"{}", reply=stolen)
        for one in (publisher, ops, provider, operator):
            await one.client.flush()
            assert not one.refused
        asked = await called.next_msg()
        assert (asked.subject, called.pending_msgs) == ("lockstep.api.status", 0)
        await asked.respond(b'{"forged": true}')
        await engine.client.flush()
        # The stream takes one after the other: whatever was sent before is in it with these.
        await publisher.client.request(
            "lockstep.trigger.orders.created", b"{}", timeout=LIMIT_SECONDS
        )
        await provider.client.request(DONE, b"{}", timeout=LIMIT_SECONDS)
        state = (await js.stream_info("LOCKSTEP_TRIGGERS", subjects_filter=">")).state
        assert set(state.subjects or {}) == {"lockstep.trigger.orders.created", DONE}


async def test_acknowledgements_and_refusals_of_the_stream_reach_the_publisher(
    accounts: Bus,
) -> None:
    async with connected(accounts, "engine") as engine, connected(accounts, "publisher") as user:
        js = engine.client.jetstream()
        await js.add_stream(name="LOCKSTEP_TRIGGERS", subjects=["lockstep.trigger.>"])
        subject, head = "lockstep.trigger.orders.created", {"Nats-Msg-Id": "same"}
        first, second = [
            json.loads(
                (
                    await user.client.request(subject, b"{}", headers=head, timeout=LIMIT_SECONDS)
                ).data
            )
            for _ in range(2)
        ]
        assert first["stream"] == "LOCKSTEP_TRIGGERS"
        assert second == {**first, "duplicate": True}
        head = {"Nats-Expected-Stream": "OTHER"}
        refused = json.loads(
            (await user.client.request(subject, b"{}", headers=head, timeout=LIMIT_SECONDS)).data
        )
        assert refused["error"]["err_code"] == 10060


@pytest.mark.parametrize("given", [{}, {"user": "engine", "password": "wrong"}])
async def test_a_stranger_is_told_that_the_server_refuses_it(
    accounts: Bus, given: dict[str, str]
) -> None:
    with pytest.raises(ServerUnfit, match="refuses us"):
        await bus.connect(bus.BusSettings(servers=[accounts.url], **given))
