"""`events.why` and `lockstep why`: what became of events, what refused them, what waits on."""

from typing import Any
from uuid import uuid4

import pytest

from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of
from engine.shell import Shell
from engine.test_language import record
from engine.test_look_back import waiting
from engine.test_replicas import handled
from engine.test_triggers import Lock, triggered
from lockstep import bus
from lockstep.embedded import Servers
from lockstep.engine.parts import Seams
from lockstep.model.secrets import MASKER
from patience import patience, until

Json = dict[str, Any]
shared_loop = pytest.mark.asyncio(loop_scope="session")


def unique(word: str) -> str:
    """Name something of a test alone."""
    return f"{word}.{uuid4().hex[:10]}"


async def why(engine: EngineFixture, **request: Any) -> Json:
    """Ask, when all that was noted is written."""
    async with patience():
        await handled(engine)
        await engine.assembly.hearing.decisions.settled()
        found: Json = await engine.call("events.why", **request)
    return found


async def followed(engine: EngineFixture, event: str) -> list[tuple[str, str | None, str | None]]:
    """What became of the newest event of an id: outcome, gate, detail."""
    newest = (await why(engine, event=event))["items"][0]
    return [(one["outcome"], one["gate"], one["detail"]) for one in newest["consequences"]]


@shared_loop
async def test_it_tells_of_each_wait_why_an_event_did_not_end_it(shared: EngineFixture) -> None:
    answer = unique("answer")
    wait = {"event": answer, "filter": "trigger.payload.n > 5 and true", "timeout_seconds": 600}
    automation = await triggered(shared, {}, [{"wait_for_trigger": wait}, record("x")])
    await shared.publish(answer, {"n": 0}, key="a")  # before anybody waits
    await handled(shared)
    await shared.publish(automation.event, {}, key="a")
    run = await waiting(shared, automation, ["actions[0]"])

    ((outcome, gate, detail),) = await followed(shared, answer)
    assert (outcome, gate) == ("passed_over", "wait_later")
    assert detail is not None
    text = "a duration as `lookback` takes events from before the start of the run, too"
    assert f"after this event was handled; {text}" in detail

    await shared.publish(answer, {"n": 3}, key="a")
    newest = (await why(shared, event=answer, limit=1))["items"][0]
    assert newest["context_key"] == "a"
    (told,) = newest["consequences"]
    assert told["detail"] == (
        "false: trigger.payload.n > 5 and true; `trigger.payload.n > 5` is false: "
        "`trigger.payload.n` is 3"
    )
    assert (told["outcome"], told["gate"]) == ("passed_over", "wait_filter")
    assert (told["run_id"], told["action_path"]) == (run, "actions[0]")

    await shared.publish(answer, {"n": 9}, key="b")
    await handled(shared)
    text = "it waits for the context key 'a'; this event has the context key 'b'"
    assert await followed(shared, answer) == [("passed_over", "wait_key", text)]
    await shared.publish(answer, {"n": 9})
    text = "it waits for the context key 'a'; this event has no context key"
    assert await followed(shared, answer) == [("passed_over", "wait_key", text)]

    await shared.call("runs.cancel", id=run)
    await shared.publish(answer, {"n": 9}, key="a")
    ((outcome, gate, detail),) = await followed(shared, answer)
    assert (outcome, gate) == ("passed_over", "wait_over")
    assert detail is not None
    assert "the wait was over since" in detail
    assert "cancelled" in detail

    # Later it is the same: also of what was handled while it waited.
    items = (await why(shared, event=answer, limit=5))["items"]
    gates = [[one["gate"] for one in item["consequences"]] for item in items]
    assert gates == [["wait_over"], ["wait_key"], ["wait_key"], ["wait_filter"], ["wait_later"]]


@shared_loop
async def test_an_event_that_ends_a_wait_is_told_once_and_the_others_of_it_wait_on(
    shared: EngineFixture,
) -> None:
    answer = unique("answer")
    branches = [
        {"wait_for_trigger": {"event": answer, "filter": f"trigger.payload.n == {n}"}}
        for n in (1, 2)
    ]
    automation = await triggered(shared, {}, [{"parallel": branches}])
    await shared.publish(automation.event, {})
    paths = ["actions[0].parallel[0][0]", "actions[0].parallel[1][0]"]
    run = await waiting(shared, automation, paths)
    await shared.publish(answer, {"n": 1})
    (event,) = (await why(shared, event=answer))["items"]
    told = {one["action_path"]: one["outcome"] for one in event["consequences"]}
    assert told == {paths[0]: "woke", paths[1]: "passed_over"}
    assert {one["run_id"] for one in event["consequences"]} == {run}
    await waiting(shared, automation, paths[1:])
    assert (await why(shared, event=answer))["items"] == [event]


@shared_loop
async def test_an_event_that_nobody_asks_for_says_so_and_an_unknown_one_what_to_do(
    shared: EngineFixture,
) -> None:
    event = unique("nobody")
    await shared.publish(event, {})
    (told,) = (await why(shared, event=event))["items"]
    assert told["consequences"] == []
    assert told["note"] == (
        "no automation that was enabled then asked for it, and no run waited for it"
    )
    # Of one automation it says nothing of the others, whatever these did with it.
    asking = await triggered(shared, {}, [{"wait_for_trigger": {"event": event}}])
    other = await shared.automation([record("x")])
    await shared.publish(asking.event, {})
    run = await waiting(shared, asking, ["actions[0]"])
    for of, outcomes in ((asking, ["started"]), (other, [])):
        (told,) = (await why(shared, event=asking.event, automation_id=of.id))["items"]
        assert [one["outcome"] for one in told["consequences"]] == outcomes
    assert told["note"] == (
        "this automation did not ask for it, or was disabled then, and no run of it waited for it"
    )
    await shared.publish(event, {}, key="another")
    for of, end in (
        (asking, "it ended no wait of its runs"),
        (other, "no run of it waited for it"),
    ):
        (told, _) = (await why(shared, event=event, automation_id=of.id))["items"]
        assert told["note"].endswith(f"did not ask for it, or was disabled then, and {end}")
    await shared.call("runs.cancel", id=run)

    found = await why(shared, event="never.seen")
    assert (found["items"], found["dead_letters"], found["unhandled"]) == ([], [], [])
    (note,) = found["notes"]
    assert "no event has the event id or message id 'never.seen'" in note
    assert "`lockstep catalog triggers`" in note
    assert "24 h ago is forgotten (`engine.receipts_hours`)" in note


@shared_loop
async def test_dead_letters_of_an_event_are_told_by_its_event_id_and_by_its_message_id(
    shared: EngineFixture,
) -> None:
    event, message = unique("broken"), unique("m")
    subject = shared.connection.names.trigger(event)
    await bus.Publisher(shared.connection).publish(subject, b"[1]", {"Nats-Msg-Id": message})
    for asked in (event, message):

        async def letters(of: str = asked) -> bool:
            return bool((await why(shared, event=of))["dead_letters"])

        await until(letters)
        found = await why(shared, event=asked)
        (letter,) = found["dead_letters"]
        assert (letter["event"], letter["message_id"]) == (event, message)
        assert "object" in letter["reason"]
        assert (found["items"], found["notes"]) == ([], [])


async def test_events_that_are_not_handled_yet_are_told_with_their_place(
    servers: Servers, dsn: str
) -> None:
    lock = Lock()
    settings = settings_of(servers.nats_url, dsn, f"w{uuid4().hex[:10]}")
    async with engine_fixture(settings, seams=Seams(source=lock.around)) as only:
        automation = await only.automation([record("x")])
        for n in range(60):
            await only.publish(automation.event, {"n": n}, **{"Nats-Msg-Id": f"m-{n}"})
        await only.publish("other.event", {}, **{"Nats-Msg-Id": "m-last"})
        found: Json = {}

        async def is_last() -> bool:
            found.update(await only.call("events.why", event="m-last"))
            return bool(found["unhandled"])

        await until(is_last)
        (waits,) = found["unhandled"]
        assert (waits["event"], waits["message_id"], waits["lane"]) == ("other.event", "m-last", "")
        assert found["notes"] == []
        found.update(await only.call("events.why", event=automation.event, limit=3))
        told = [one["message_id"] for one in found["unhandled"]]
        assert len(told) == 3
        assert told == sorted(told, key=lambda name: int(name[2:]))
        lock.opened.set()
        await only.ended(automation.id, 60)
        assert (await why(only, event="m-last"))["unhandled"] == []


@shared_loop
async def test_an_event_that_is_parked_says_for_whom_and_how_to_see_it(
    shared: EngineFixture,
) -> None:
    event = unique("parked")
    automation = await triggered(shared, {}, [])
    await shared.publish(event, {})
    await handled(shared)
    dsn = shared.settings.postgres.dsn
    parked = uuid4()
    await rows(
        dsn,
        "insert into parked_events (id, delivery, automation_id, event_id, subject, headers, body,"
        " parked_reason, parked_version, parked_tried)"
        " select $1, delivery, $2, event_id, 's', '{}', '{}', 'an unknown action', '9', '{}'"
        "   from receipts where event_id = $3",
        parked,
        automation.id,
        event,
    )
    text = (
        f"this version cannot handle it (an unknown action): `lockstep parked show event:{parked}`"
    )
    assert await followed(shared, event) == [("parked", None, text)]
    await rows(dsn, "delete from parked_events where id = $1", parked)


@shared_loop
async def test_an_automation_says_what_it_has_refused_last(shared: EngineFixture) -> None:
    trigger = {"event": unique("seen"), "filter": "trigger.payload.n > 1"}
    sleep = {"delay": {"seconds": 3600}}
    automation = await triggered(
        shared, trigger, [sleep], mode="single", conditions=["trigger.payload.n > 2"]
    )
    for n in (1, 2, 3, 4):
        await shared.publish(
            automation.event, {"n": n}, **{"Nats-Msg-Id": f"{automation.event}-{n}"}
        )
        await handled(shared)
    found = await why(shared, automation_id=automation.id, limit=50)
    told = [(one["event"], *_of(one["consequences"][0])) for one in found["items"]]
    assert [gate for _, gate, _ in told] == ["mode", "conditions", "filter"]
    assert {event for event, _, _ in told} == {automation.event}
    assert [detail for *_, detail in told][1:] == [
        "conditions[0] is false; `trigger.payload.n > 2` is false: `trigger.payload.n` is 2",
        "false: trigger.payload.n > 1; `trigger.payload.n` is 1",
    ]
    assert [one["message_id"] for one in found["items"]][1:] == [
        f"{automation.event}-2", f"{automation.event}-1"
    ]  # fmt: skip
    assert len((await why(shared, automation_id=automation.id, limit=2))["items"]) == 2
    reply = await shared.ask("events.why", automation_id="nobody")
    assert reply.error_code == "404"


def _of(consequence: Json) -> tuple[str, str]:
    return consequence["gate"], consequence["detail"]


@shared_loop
async def test_neither_an_event_nor_an_automation_is_refused(shared: EngineFixture) -> None:
    reply = await shared.ask("events.why")
    assert reply.error_code == "400"
    assert "automation_id" in reply.error


@shared_loop
async def test_a_secret_that_a_refusal_saw_is_masked(shared: EngineFixture) -> None:
    MASKER.remember("hush-hush-hush")
    automation = await triggered(shared, {"filter": "trigger.payload.token == 'x'"}, [])
    await shared.publish(automation.event, {"token": "so hush-hush-hush it is"})
    ((_, _, detail),) = await followed(shared, automation.event)
    assert detail == (
        "false: trigger.payload.token == 'x'; `trigger.payload.token` is \"so *** it is\""
    )


@shared_loop
async def test_the_command_tells_it_line_by_line(shared: EngineFixture, shell: Shell) -> None:
    answer = unique("answer")
    waits = {"wait_for_trigger": {"event": answer, "filter": "trigger.payload.n > 5"}}
    trigger = {"event": unique("begin"), "filter": "trigger.payload.open"}
    automation = await triggered(shared, trigger, [waits], name=unique("door"))
    await shared.publish(automation.event, {"open": False})
    await shared.publish(automation.event, {"open": True}, key="k")
    run = await waiting(shared, automation, ["actions[0]"])
    await shared.publish(answer, {"n": 1}, key="k", **{"Nats-Msg-Id": f"{answer}-1"})
    await why(shared, event=answer)
    name = (await shared.call("automations.get", id=automation.id))["name"]

    said = (await shell.run("why", f"{answer}-1")).out.splitlines()
    assert said[0].startswith(f"{answer} ({answer}-1)  ")
    assert said[0].endswith(", context key 'k'")
    assert said[1:] == [
        f"  {name}: did not end the wait of run {run} at actions[0] (wait_filter)",
        "    false: trigger.payload.n > 5; `trigger.payload.n` is 1",
        "  no automation that was enabled then asked for it, and it ended no wait",
    ]
    trigger_id = automation.event.replace(".", "_")
    refused = [
        f"  {name}, trigger {trigger_id}: refused by filter",
        "    false: trigger.payload.open; `trigger.payload.open` is false",
    ]
    for words in (["--automation", automation.id], [automation.id]):
        assert (await shell.run("why", *words)).out.splitlines()[1:] == refused
    assert (await shell.run("why", automation.event)).out.splitlines()[-2:] == refused
    found = (await shell.run("why", answer, "--json")).json
    assert found["items"][0]["consequences"][0]["gate"] == "wait_filter"
    told = await shell.run("why", "never.seen", code=1)
    assert "no event has the event id or message id 'never.seen'" in told.err
    assert "--automation NAME" in (await shell.run("why", code=2)).err
    await shell.run("why", "--automation", "nobody", code=1)
