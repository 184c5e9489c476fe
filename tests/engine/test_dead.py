"""Dead letters, as operators meet them: listed, shown, sent back and thrown away."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import typer

from engine.engine_fixture import EngineFixture
from engine.test_language import record
from lockstep import bus
from lockstep.bus.dead_box import DeadLetterBox
from lockstep.bus.service import RequestService
from lockstep.cli.commands.dead.discard import discard_letters
from lockstep.cli.commands.dead.list import list_letters
from lockstep.cli.commands.dead.retry import retry_letters
from lockstep.cli.commands.dead.show import show_letter
from lockstep.cli.options import letters_of
from lockstep.cli.silence import silence
from lockstep.client.remote import ApiRefused, connected
from lockstep.control import dead as control
from lockstep.control.dispatch import handler
from lockstep.embedded import Servers
from lockstep.settings.structs import Settings
from lockstep_schemas import dead as schemas
from patience import patience

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
_numbers = count(1)


@pytest.fixture
def office(shared: EngineFixture) -> EngineFixture:
    """The engine, whose API answers for dead letters."""
    return shared


@asynccontextmanager
async def piecemeal(nats: bus.BusSettings) -> AsyncIterator[bus.Connection]:
    """Answer for the dead letters of a prefix without an engine, one letter a request."""
    connection = await bus.connect(nats)
    await bus.prepare(connection)
    box = DeadLetterBox(connection, bus.Publisher(connection))
    made = control.DeadEndpoints(box, portion=1, retry_seconds=0.0)
    answered = {
        "dead.list": handler(schemas.DeadList, made.list),
        "dead.retry": handler(schemas.DeadSelect, made.retry),
    }
    service = RequestService(connection, version="0", endpoints=answered)
    await service.start()
    try:
        yield connection
    finally:
        await service.stop()
        await connection.close()


@pytest.fixture
def event() -> str:
    """An event id that no other test uses."""
    return f"dead.n{next(_numbers)}"


async def die(
    engine_fixture: EngineFixture, event: str, *bodies: bytes, **headers: str
) -> list[Json]:
    """Publish what cannot be handled; wait for the letters, and give them, oldest first."""
    before = (await engine_fixture.call("dead.list", event=event))["total"]
    for body in bodies or (b"?",):
        await engine_fixture.publish(event, body, **headers)
    async with patience():
        while True:
            page = await engine_fixture.call("dead.list", event=event, limit=200)
            if page["total"] >= before + len(bodies or (b"?",)):
                return list(reversed(page["items"]))
            await asyncio.sleep(0.02)


async def bury(connection: bus.Connection, event: str, body: bytes, message_id: str) -> None:
    """Store an event among the dead letters, as if it could not be handled."""
    names = connection.names
    head = {
        "Lockstep-Subject": names.trigger(event),
        "Lockstep-Message-Id": message_id,
        "Lockstep-Context-Key": "",
        "Nats-Msg-Id": f"X:1:{next(_numbers)}",
    }
    await bus.Publisher(connection).publish(names.dead(event), body, head)


async def refusal(
    engine_fixture: EngineFixture, endpoint: str, **request: object
) -> tuple[str, str]:
    reply = await engine_fixture.ask(endpoint, **request)
    fault = json.loads(reply.body)
    assert reply.error == fault["message"]
    return reply.error_code, fault["message"]


async def test_a_letter_is_listed_and_shown_with_headers_and_body(
    office: EngineFixture, event: str
) -> None:
    head = {"Nats-Msg-Id": f"m-{event}", "X-Own": "1"}
    (letter,) = await die(office, event, b"no json", key="k", **head)
    assert letter["event"] == event
    assert "no JSON" in letter["reason"]
    assert letter["subject"] == office.connection.names.trigger(event)
    assert (letter["message_id"], letter["context_key"]) == (f"m-{event}", "k")
    assert (letter["deliveries"], letter["size"], letter["actor"]) == (1, 7, None)
    shown = await office.call("dead.show", id=letter["id"])
    assert shown["letter"] == letter
    assert shown["body"] == "no json"
    assert shown["headers"]["X-Own"] == "1"
    assert "Lockstep-Reason" in shown["headers"]
    assert "body_base64" not in shown


async def test_a_body_that_is_no_text_is_shown_in_base64_and_a_large_one_in_part(
    office: EngineFixture, event: str
) -> None:
    large = ("é" * 100_000).encode()
    letters = await die(office, event, b"\xff\x00", b"x" + large, large)
    shown = [await office.call("dead.show", id=one["id"]) for one in letters]
    assert base64.b64decode(shown[0]["body_base64"]) == b"\xff\x00"
    assert "body_cut" not in shown[0]
    for one, start in ((shown[1], "xé"), (shown[2], "éé")):
        assert one["body_cut"]
        assert one["body"].startswith(start)
        assert control.BODY_BYTES - 2 < len(one["body"].encode()) <= control.BODY_BYTES


async def test_lists_are_paged_by_before(office: EngineFixture, event: str) -> None:
    ids = [one["id"] for one in await die(office, event, *[b"?"] * 5)]
    first = await office.call("dead.list", event=event, limit=2)
    second = await office.call("dead.list", event=event, limit=2, before=first["next_before"])
    third = await office.call("dead.list", event=event, limit=2, before=second["next_before"])
    found = [one["id"] for page in (first, second, third) for one in page["items"]]
    assert found == ids[::-1]
    assert (first["total"], third["next_before"]) == (5, None)


async def test_an_event_that_is_retried_starts_its_run_once_its_fault_is_gone(
    office: EngineFixture, event: str
) -> None:
    # A hop past the limit is a fault of the message: retried, it dies again, as another letter.
    hop = {"Nats-Msg-Id": f"m-{event}", "Lockstep-Hop": "99"}
    (first,) = await die(office, event, b"{}", **hop)
    assert await office.call("dead.retry", ids=[first["id"]]) == {"done": 1, "failed": []} | {
        "cursor": None
    }
    async with patience():
        while True:
            items = (await office.call("dead.list", event=event))["items"]
            if items and items[0]["id"] != first["id"]:
                break
            await asyncio.sleep(0.02)
    (second,) = items
    assert second["message_id"].startswith(f"m-{event}:retry:")


async def test_a_retried_event_is_handled_though_its_id_is_known(
    office: EngineFixture, event: str
) -> None:
    """The engine has a receipt of the id: an event of the same id was handled before."""
    automation = await office.automation([record("{{ trigger.payload.n }}")], event=event)
    box = DeadLetterBox(office.connection, bus.Publisher(office.connection))
    message_id = {"Nats-Msg-Id": f"m-{event}"}
    await automation.run({"n": 1}, **message_id)
    await bury(office.connection, event, b'{"n": 2}', message_id["Nats-Msg-Id"])
    assert (await office.call("dead.retry", event=event))["done"] == 1
    await office.ended(automation.id, 2)
    assert (await box.page(event, 1, None)).total == 0
    page = await office.call("runs.list", automation_id=automation.id)
    assert [run["trigger_payload"] for run in page["items"]] == [{"n": 2}, {"n": 1}]


async def test_all_letters_of_an_event_are_retried_each_once_over_several_requests(
    office: EngineFixture, event: str
) -> None:
    box = DeadLetterBox(office.connection, bus.Publisher(office.connection))
    hasty = control.DeadEndpoints(box, portion=2, retry_seconds=0.0)
    ids = [one["id"] for one in await die(office, event, *[b"?"] * 5)]
    request = schemas.DeadSelect(event=event)
    done = requests = 0
    while True:
        reply = await hasty.retry(request, None)
        done, requests = done + reply.done, requests + 1
        assert not reply.failed
        if reply.cursor is None:
            break
        request = schemas.DeadSelect(event=event, cursor=reply.cursor)
    assert (done, requests) == (5, 4)
    # all of them die again, and these letters are not retried by the same command
    async with patience():
        while (await office.call("dead.list", event=event))["total"] < 5:
            await asyncio.sleep(0.02)
    page = await office.call("dead.list", event=event)
    assert page["total"] == 5
    assert min(one["id"] for one in page["items"]) > max(ids)


async def test_letters_are_discarded_by_ids_and_by_event(office: EngineFixture, event: str) -> None:
    ids = [one["id"] for one in await die(office, event, *[b"?"] * 3)]
    reply = await office.call("dead.discard", ids=[ids[0], 10**12])
    assert reply["done"] == 1
    assert reply["failed"] == [
        {"id": 10**12, "code": "not_found", "message": f"dead letter '{10**12}' not found"}
    ]
    assert (await office.call("dead.discard", event=f"{event}.*"))["done"] == 0
    assert (await office.call("dead.discard", event=event))["done"] == 2
    assert (await office.call("dead.list", event=event))["total"] == 0


@pytest.mark.parametrize(
    ("endpoint", "request_", "code", "message"),
    [
        ("dead.show", {"id": 10**12}, "404", f"dead letter '{10**12}' not found"),
        ("dead.show", {"id": 0}, "400", "$.id"),
        ("dead.show", {"id": "x"}, "400", "$.id"),
        ("dead.show", {}, "400", "id"),
        ("dead.list", {"limit": 201}, "400", "$.limit"),
        ("dead.list", {"limit": 0}, "400", "$.limit"),
        ("dead.list", {"before": 0}, "400", "$.before"),
        ("dead.list", {"event": ""}, "400", "$.event"),
        ("dead.list", {"page": 1}, "400", "`page`"),
        ("dead.retry", {}, "400", "name either ids or an event"),
        ("dead.retry", {"ids": [1], "event": "a"}, "400", "name either ids or an event"),
        ("dead.retry", {"ids": []}, "400", "$.ids"),
        ("dead.retry", {"ids": [1] * 201}, "400", "$.ids"),
        ("dead.retry", {"ids": [10**12]}, "404", f"dead letter '{10**12}' not found"),
        ("dead.retry", {"event": "a", "cursor": "5"}, "400", "cursor '5' is not one of ours"),
        ("dead.discard", {}, "400", "name either ids or an event"),
        ("dead.discard", {"ids": [10**12]}, "404", "not found"),
        ("dead.discard", {"ids": ["x"]}, "400", "$.ids[0]"),
    ],
)
async def test_what_is_wrong_or_unknown_is_refused(
    office: EngineFixture, endpoint: str, request_: Json, code: str, message: str
) -> None:
    found, text = await refusal(office, endpoint, **request_)
    assert found == code
    assert message in text


async def test_the_command_line_lists_and_shows_for_people_and_for_programs(
    office: EngineFixture, event: str, capsys: pytest.CaptureFixture[str]
) -> None:
    silence()  # as for every command; the log would stand among the results
    letters = await die(office, event, b"first\nline", b"\xff", **{"X-Own": "a"})
    reach = partial(connected, office.settings)
    assert await list_letters(reach(), schemas.DeadList(event=event), 1, as_json=False)
    said = capsys.readouterr()
    assert said.out.splitlines()[0].split() == [
        *("id", "died", "event", "message", "id", "size", "why")
    ]
    assert str(letters[1]["id"]) in said.out
    assert "is no JSON" in said.out
    assert "1 of 2 are shown" in said.err
    assert await list_letters(reach(), schemas.DeadList(event=event), 500, as_json=True)
    assert json.loads(capsys.readouterr().out)["items"] == letters[::-1]
    assert await show_letter(reach(), letters[0]["id"], as_json=False)
    said = capsys.readouterr()
    assert "X-Own: a" in said.out
    assert said.out.endswith("first\nline\n")
    assert await show_letter(reach(), letters[1]["id"], as_json=False)
    assert "no text" in capsys.readouterr().err
    assert await show_letter(reach(), letters[1]["id"], as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert msgspec.convert(shown, schemas.DeadDetail).body_base64 == "/w=="


async def test_the_command_line_retries_and_discards_and_says_what_it_left(
    office: EngineFixture, event: str, capsys: pytest.CaptureFixture[str]
) -> None:
    silence()
    settings, reach = office.settings, partial(connected, office.settings)
    ids = [one["id"] for one in await die(office, event, *[b"?"] * 3)]
    assert not await discard_letters(settings, [ids[0], 10**12], None, sure=True, as_json=False)
    said = capsys.readouterr()
    assert "1 dead letter discarded" in said.out
    assert "not found" in said.err
    assert await retry_letters(reach(), [], event, as_json=True)
    said = capsys.readouterr()
    assert json.loads(said.out) == {"done": 2, "failed": []}
    assert said.err == ""  # how far it is, is told on a terminal only
    with pytest.raises(ApiRefused, match="not found"):
        await retry_letters(reach(), [10**12], None, as_json=False)


async def test_the_command_line_goes_on_where_a_request_was_not_through(
    servers: Servers, event: str, capsys: pytest.CaptureFixture[str]
) -> None:
    silence()
    nats = bus.BusSettings(
        servers=[servers.nats_url], prefix=f"d{uuid4().hex[:12]}", storage="memory"
    )
    async with piecemeal(nats) as connection:
        for number in range(3):
            await bury(connection, event, b"?", f"m-{event}-{number}")
        assert await retry_letters(connected(Settings(nats=nats)), [], event, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"done": 3, "failed": []}


@pytest.mark.parametrize("answer", [True, False])
async def test_on_a_terminal_discard_asks_first(
    office: EngineFixture, event: str, answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def confirm(text: str, **_: object) -> bool:
        asked.append(text)
        if not answer:
            raise typer.Abort
        return True

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(typer, "confirm", confirm)
    await die(office, event, b"?", b"?")
    work = discard_letters(office.settings, [], event, sure=False, as_json=True)
    if answer:
        assert await work
    else:
        with pytest.raises(typer.Abort):
            await work
    assert asked == [f"Delete 2 dead letters of {event} for good?"]
    assert (await office.call("dead.list", event=event))["total"] == (0 if answer else 2)


async def test_what_was_typed_names_letters_in_one_way() -> None:
    assert letters_of([1], None, everything=False) is None
    assert letters_of([], "a", everything=False) == "a"
    assert letters_of(None, None, everything=True) == "*"
    for ids, event, everything in (([], None, False), ([1], "a", False), ([], "", False)):
        with pytest.raises(typer.BadParameter):
            letters_of(ids, event, everything=everything)
