"""An event that did nothing: what a client reports, and what the commands of the page show."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import nats
import pytest
from nats.aio.client import Client

from deploy.machines import Bus, nats_server
from engine.engine_fixture import engine_fixture, settings_of, variables_of
from engine.shell import Shell
from lockstep.embedded import Servers
from pages import ROOT, blocks, headings, tables
from patience import LIMIT_SECONDS, patience, until
from shown import same, stands_in
from typed import shell

PAGE: Final = ROOT / "docs/PUBLISHING.md"
ORDERS: Final = "lockstep.trigger.orders.created"
SOON_SECONDS = 1.0  # for an answer that does not come


class Publisher:
    """A client of nats-py as the page speaks of it, and what is reported of its connection."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.told: list[str] = []

    async def fails(
        self,
        subject: str = ORDERS,
        body: bytes = b"{}",
        *,
        password: str = "",
        inbox: str = "_INBOX_publisher",
        seconds: float = LIMIT_SECONDS,
    ) -> list[str]:
        """Publish what cannot be, and give all that is said of it."""
        self.told.clear()
        client = Client()

        async def note(error: Exception) -> None:
            self.told.append(str(error))

        try:
            await client.connect(
                self.bus.url, user="publisher", inbox_prefix=inbox, error_cb=note,
                password=password or self.bus.passwords["nats_publisher"], allow_reconnect=False,
            )  # fmt: skip
            await client.jetstream().publish(subject, body, timeout=seconds)
        except (TimeoutError, nats.errors.Error) as error:
            if client.is_connected:
                await client.flush(LIMIT_SECONDS)
            return [str(error), *self.told]
        finally:
            await client.close()
        pytest.fail(f"{subject} was published")


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """NATS with accounts, of which no engine has made anything yet."""
    async with nats_server(tmp_path / "bus") as started:
        yield started


async def test_a_client_reports_what_the_page_says(bus: Bus) -> None:
    publisher = Publisher(bus)
    seen = [await publisher.fails()]
    engine = await nats.connect(
        bus.url, user="engine", password=bus.passwords["nats_engine"], inbox_prefix="_INBOX_engine"
    )
    await engine.jetstream().add_stream(
        name="LOCKSTEP_TRIGGERS", subjects=["lockstep.trigger.>"], max_bytes=400, discard="new"
    )
    seen += [
        await publisher.fails(password="wrong"),
        await publisher.fails("lockstep.trigger.sensor.door", seconds=SOON_SECONDS),
        await publisher.fails(inbox="_INBOX", seconds=SOON_SECONDS),
        await publisher.fails(body=b"x" * 2_000_000),
        await publisher.fails(body=b"x" * 500),
    ]
    await engine.close()
    told = [
        [word for word in row[0].split("`")[1::2] if word]
        for row in tables(PAGE)["errors"]
        if row[0] != "`timeout` alone"
    ]
    order = ["no response", "Authorization", "for publish", "for subscription", "payload", "bytes"]
    for word, said in zip(order, seen, strict=True):
        (row,) = [row for row in told if any(word in one for one in row)]
        for one in row:
            assert one in " ".join(said), said
    assert len(told) == len(order)


async def test_a_plain_request_is_answered_as_the_page_says(bus: Bus) -> None:
    engine = await nats.connect(
        bus.url, user="engine", password=bus.passwords["nats_engine"], inbox_prefix="_INBOX_engine"
    )
    publisher = await nats.connect(
        bus.url, user="publisher", password=bus.passwords["nats_publisher"],
        inbox_prefix="_INBOX_publisher",
    )  # fmt: skip
    (word,) = re.findall(r"a subject that no stream takes is `(.+?)`", PAGE.read_text())
    with pytest.raises(nats.errors.NoRespondersError, match=word):
        await publisher.request(ORDERS, b"{}", timeout=LIMIT_SECONDS)
    await engine.jetstream().add_stream(
        name="LOCKSTEP_TRIGGERS", subjects=["lockstep.trigger.>"], max_bytes=400, discard="new"
    )
    answer = json.loads((await publisher.request(ORDERS, b"x" * 500, timeout=LIMIT_SECONDS)).data)
    (told,) = re.findall(r"not as an error: `(.+?)`", PAGE.read_text())
    assert json.loads(told)["error"].items() <= answer["error"].items()
    await publisher.close()
    await engine.close()


async def test_what_an_inbox_of_another_hides_is_stored_all_the_same(bus: Bus) -> None:
    engine = await nats.connect(
        bus.url, user="engine", password=bus.passwords["nats_engine"], inbox_prefix="_INBOX_engine"
    )
    js = engine.jetstream()
    await js.add_stream(name="LOCKSTEP_TRIGGERS", subjects=["lockstep.trigger.>"])
    await Publisher(bus).fails(inbox="_INBOX", seconds=SOON_SECONDS)

    async def is_stored() -> bool:
        return (await js.stream_info("LOCKSTEP_TRIGGERS")).state.messages == 1

    await until(is_stored)
    await engine.close()


async def test_each_command_shows_what_the_page_says(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    page = blocks(PAGE)
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}")
    env = variables_of(settings)
    async with engine_fixture(settings):
        made = Shell(tmp_path, env)
        made.write("door.yaml", page[0].text)
        await made.run("apply", "door.yaml")
        for commands, told in zip(page[1::2], page[2::2], strict=True):
            assert (commands.language, told.language) == ("sh", "text")
            wanted = same(told.text.replace("LOCKSTEP_", f"{settings.nats.prefix.upper()}_"))
            *lines, last = commands.text.splitlines()
            before, after = await said(lines, tmp_path, env), ""
            try:
                async with patience():  # it may not be handled yet
                    while not stands_in(wanted, same(before + after)):
                        after = await said([last], tmp_path, env)
            except TimeoutError:
                pytest.fail(f"{commands} shows\n{before}{after}")


async def said(lines: list[str], folder: Path, env: dict[str, str]) -> str:
    """Carry out lines; `why` of what nobody knows says so in its exit code, too."""
    return "".join([await shell(f"{line} || true", folder, env) for line in lines])


def test_every_symptom_leads_to_a_section() -> None:
    rows = PAGE.read_text().partition("| what you see |")[2].partition("\n\n")[0]
    assert rows.count("](#") == len(headings(PAGE)) - 1
