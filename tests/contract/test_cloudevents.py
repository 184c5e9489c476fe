"""CloudEvents: their SDKs read what the engine tells, and the engine takes what they write."""

import asyncio
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from engine.engine_fixture import engine_fixture, settings_of
from lockstep import bus
from lockstep.bus.follow import Note
from lockstep.catalog import build_catalog
from lockstep.embedded import Servers
from lockstep.intake.decode import Decoder
from lockstep.model.events import Event
from patience import patience
from store_fixture import StoredMessage

http = pytest.importorskip(
    "cloudevents.core.bindings.http", reason="cloudevents of PyPI is not installed: make install"
)
CloudEvent = pytest.importorskip("cloudevents.core.v1.event").CloudEvent

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SOLD: Mapping[str, Any] = {
    "id": "sold-1",
    "source": "/shop",
    "type": "shop.sold",
    "datacontenttype": "application/json",
    "traceparent": TRACE,
}
FAIL = {"action": "test.fail", "config": {"reason": "é \n \u2028"}}
ENDS = {"created", "warning", "succeeded", "failed"}
SCRIPT = Path(__file__).with_name("node") / "cloudevents.mjs"
DECODER = Decoder(build_catalog(open=True), "lockstep", 16)


async def told(servers: Servers, dsn: str) -> list[Note]:
    """What an engine publishes of an automation that is stored, and of two runs of it.

    One run has a trace, the other fails and has none; a filter cannot be judged.
    """
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:12]}")
    found: list[Note] = []
    async with engine_fixture(settings) as opened:
        names = opened.connection.names
        async with (
            bus.follow(opened.connection, names.automation("*", "*")) as changes,
            bus.follow(opened.connection, names.run("*", "*")) as runs,
        ):
            refused = {"event": "ce.sold", "filter": "1 / trigger.payload.zero > 1"}
            stored = await opened.automation(
                [{"choose": [{"when": "trigger.payload.fails", "sequence": [FAIL]}]}],
                triggers=[{"event": "ce.sold"}, refused],
            )
            await opened.publish("ce.sold", {"fails": False, "zero": 0}, key="é", traceparent=TRACE)
            await opened.publish("ce.sold", {"fails": True, "zero": 1})
            await opened.ended(stored.id, 2)
            found.append(await anext(changes))
            async with patience():
                while not {note.subject.rpartition(".")[2] for note in found} >= ENDS:
                    found.append(await anext(runs))
    return found


async def script(node: Path, request: object) -> Any:
    """What the JavaScript SDK reads and writes."""
    shutil.copy(SCRIPT, node)
    process = await asyncio.create_subprocess_exec(
        "node", node / SCRIPT.name, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    async with patience():
        answer, _ = await process.communicate(json.dumps(request).encode())
    return json.loads(answer)


def attributes(note: Note) -> Any:
    """What is written in a message, without its data and the fraction of its time."""
    written = json.loads(note.body)
    del written["data"]
    return {**written, "time": written["time"][:19]}


async def test_the_sdks_read_what_the_engine_tells(node: Path, servers: Servers, dsn: str) -> None:
    notes = await told(servers, dsn)
    assert {json.loads(note.body).get("traceparent") for note in notes} == {TRACE, None}
    bodies = [{"headers": dict(note.headers), "body": note.body.decode()} for note in notes]
    answer = await script(node, {"read": bodies, "write": dict(SOLD)})
    for note, event in zip(notes, answer["read"], strict=True):
        assert event is not None, f"{note.subject}: none for the JavaScript SDK"
        data = event.pop("data")
        kept = {name: event[name] for name in attributes(note)}
        assert {**kept, "time": event["time"][:19]} == attributes(note)
        assert data == json.loads(note.body)["data"]
        read = http.from_structured_event(http.HTTPMessage(dict(note.headers), note.body))
        kept = read.get_attributes()
        assert {**kept, "time": kept["time"].isoformat()[:19]} == attributes(note)
        assert read.get_data() == data


async def test_what_the_sdks_write_is_an_event_with_its_id_and_its_trace(node: Path) -> None:
    written = (await script(node, {"read": [], "write": {**SOLD, "data": {"n": 1}}}))["written"]
    messages = [(one["headers"], one["body"].encode()) for one in written.values()]
    event = CloudEvent({**SOLD, "specversion": "1.0"}, {"n": 1})
    for write in (http.to_binary_event, http.to_structured_event):
        message = write(event)
        messages.append((dict(message.headers), message.body))
    for headers, body in messages:
        found = DECODER.decode(StoredMessage("lockstep.trigger.shop.sold", body, headers))
        assert isinstance(found, Event), found
        assert (found.payload, found.message_id, found.traceparent) == ({"n": 1}, "sold-1", TRACE)
