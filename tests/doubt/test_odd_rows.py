"""Rows that cannot be read, and a plug-in that one replica lacks, under load: all others end."""

import asyncio
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from doubt.lab import Lab, open_lab
from doubt.scenarios import STATUS_OF, has, has_none, nap, record, start
from doubt.test_faults import RUNS, Pair, harmed, judge, open_pair
from doubt.trials import check, check_events
from lockstep.catalog import Recorder
from lockstep.embedded import Servers

Json = dict[str, Any]
PLUGIN: Final = """
import msgspec

from lockstep.catalog import ActionResult


class Watched(msgspec.Struct, frozen=True):
    path: str
    seconds: float


async def send(context):
    return ActionResult()


async def watch(config, identity, fire, logger):
    return None


def register(registry):
    registry.add_action("send", send)
    registry.add_filter("loud", lambda value: str(value).upper())
    registry.trigger("came", bus=True)
    registry.trigger("file", config=Watched, setup=watch)
"""
FAR: Final = nap(3600)
DUE: Final = "clock_timestamp() - interval '1 second'"
OF: Final = "(select id from automations where name = '{}')"
RUN_OF: Final = "(select id from runs where automation_name = '{}')"
NEWER: Final = '{"f": 99}'
ASLEEP: Final = ("actor", "payload", "damaged", "newer", "kind")
"""What each of these automations has of a run that sleeps is damaged; they are named by it."""
DAMAGE: Final[Sequence[str]] = [
    f"""update runs set actor = convert_to('{{"type": "robot"}}', 'utf8')
         where id = {RUN_OF.format("actor")}""",
    f"update runs set trigger_payload = '{{' where id = {RUN_OF.format('payload')}",
    f"""update run_frames set document = convert_to('{{', 'utf8')
         where run_id = {RUN_OF.format("damaged")}""",
    f"""update run_frames set document = convert_to('{NEWER}', 'utf8')
         where run_id = {RUN_OF.format("newer")}""",
    "alter table waits drop constraint waits_kind_check",
    f"update waits set kind = 'approval' where run_id = {RUN_OF.format('kind')}",
    f"update timers set event = '{{' where automation_id = {OF.format('hold')}",
    f"""update automation_versions
           set definition = replace(definition, 'Europe/Berlin', 'Mars/Base'), version = version + 1
         where automation_id = {OF.format("zone")}""",
    f"update automations set version = version + 1 where id = {OF.format('zone')}",
    f"""update automation_versions
           set definition = replace(definition, '"seconds":1', '"seconds":"soon"'),
               version = version + 1
         where automation_id = {OF.format("file")}""",
    f"update automations set version = version + 1 where id = {OF.format('file')}",
    f"""update automation_versions set definition = left(definition, -1), version = version + 1
         where automation_id in ({OF.format("broken")})""",
    f"update automations set version = version + 1 where id = {OF.format('broken')}",
    """insert into outbox (topic, seq, subject, message_id, body, created_at)
       values ('odd', 1, 'odd.subject', 'odd:1', convert_to(repeat('x', 2000000), 'utf8'),
               clock_timestamp() - interval '1 minute')""",
    "update catalog_revision set revision = revision + 1",
    f"""update waits set due_at = {DUE}
         where run_id in (select id from runs
                           where automation_name = any ('{{{",".join(ASLEEP)}}}'))""",
    f"""update timers set due_at = {DUE}
         where automation_id in ({OF.format("hold")}, {OF.format("zone")})""",
]
WANTED: Final = {
    "run": {"actor": "robot", "payload": "truncated", "damaged": "cannot be read",
            "newer": "format 99"},
    "wait": {"kind": "of kind 'approval'"},
    "timer": {"hold": "truncated", "zone": "Mars/Base"},
    "setup": {"file": "seconds"},
    "automation": {"broken": "cannot be read"},
    "event": {"broken": "cannot be read|truncated"},
    "outbox": {"": "NATS takes"},
}  # fmt: skip
DISCARDED: Final = dict.fromkeys(WANTED["run"], "cancelled") | {"kind": "failed"}


def with_plugin(folder: Path) -> dict[str, str]:
    """What the environment of a replica has so that it finds the plug-in `odd`."""
    site = folder / "site"
    info = site / "odd-1.0.0.dist-info"
    info.mkdir(parents=True)
    (site / "odd_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0.0\n")
    (info / "entry_points.txt").write_text("[lockstep.plugins]\nodd = odd_plugin:register\n")
    return {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}


async def odd_ones(lab: Lab) -> None:
    """Store what rows will be damaged of, and let it come to its rows."""
    for name in ASLEEP:
        await lab.automation(name, [record("a"), FAR])
        await lab.tell(name, 0)
        await has(lab, STATUS_OF, 1, name, "waiting")
    await lab.automation(
        "hold", [record("a")], triggers=[{"event": "doubt.hold", "for": {"minutes": 60}}]
    )
    await lab.tell("hold", 0)
    yearly = {"cronPattern": "0 0 1 1 *", "timezone": "Europe/Berlin"}
    cron = {"event": "automation.cron", "config": yearly}
    await lab.automation("zone", [record("a")], triggers=[cron])
    await has(lab, "select count(*) from timers", 2)
    watched = {"event": "odd.file", "config": {"path": "x", "seconds": 1}}
    await lab.automation("file", [record("a")], triggers=[watched])
    await lab.automation("broken", [record("a")])
    await has(lab, "select count(*) from sources", 1)


async def parked(lab: Lab) -> list[Json]:
    """What is parked, as the API lists it."""
    found: list[Json] = (await lab.ask("parked.list", limit=200))["items"]
    return found


async def are_parked(lab: Lab, wanted: Json) -> list[Json]:
    """Wait until exactly this is parked, by kind and automation, and say why it should be."""
    expected = {(kind, name) for kind, names in wanted.items() for name in names}

    async def there() -> bool:
        found = {(one["kind"], names.get(one["automation_id"], "")) for one in await parked(lab)}
        return found == expected

    names = {automation_id: name for name, automation_id in lab.automations.items()}
    try:
        await lab.until(there)
    except AssertionError as error:
        shown = [(one["kind"], names.get(one["automation_id"]), one["reason"][:90])
                 for one in await parked(lab)]  # fmt: skip
        raise AssertionError(f"{shown}, not {expected}") from error
    items = await parked(lab)
    for one in items:
        name = names.get(one["automation_id"], "")
        assert re.search(wanted[one["kind"]][name], one["reason"]), one
    return items


async def test_a_row_that_cannot_be_read_in_each_table_leaves_no_other_run_behind(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    more = with_plugin(tmp_path)
    async with open_pair(servers.nats_url, dsn, tmp_path, more=more) as pair:
        lab = pair.lab
        await odd_ones(lab)

        async def damage(_: Pair) -> None:
            for statement in DAMAGE:
                await lab.rows(statement)
            for n in range(2):
                await lab.tell("broken", n)
            await has(lab, "select count(*) from parked_events", 2)
            # One of both is damaged as well: it must not keep the other from being tried.
            await lab.rows(
                "update parked_events set headers = '{', parked_tried = '{}'"
                " where id = (select id from parked_events order by parked_at limit 1)"
            )

        await harmed(pair, damage)
        items = await are_parked(lab, WANTED)
        await discarded(lab, items)
        for name, status in DISCARDED.items():
            await has(lab, STATUS_OF, 1, name, status)
        await lab.until_ended(3 * RUNS + len(ASLEEP))
        assert await parked(lab) == []
        await judge(lab)
        await check_events(lab)


async def discarded(lab: Lab, items: Sequence[Json]) -> None:
    """Discard all of it: what cannot be is refused, and goes with its automation."""
    refused = {one["id"] for one in items if one["kind"] in {"setup", "automation"}}
    answer = await lab.ask("parked.discard", ids=[one["id"] for one in items])
    assert answer["done"] == len(items) - len(refused)
    assert {one["id"] for one in answer["failed"]} == refused
    for name in ("file", "broken"):
        gone = f"select not exists {OF.format(name)}"
        await lab.ask("automations.delete", gone, id=lab.automations[name])
    letters = (await lab.ask("dead.list"))["items"]
    assert len(letters) == 2, "the events that were kept for the automation"


CAME: Final = {"event": "odd.came", "filter": "trigger.payload.word | loud == 'GO'"}
SEND: Final = {"action": "odd.send", "config": {}}
ENDS: Final = """
    select automation_name, status, count(*) as number from runs
     where automation_name = any ($1) group by 1, 2
"""


async def test_a_plug_in_that_one_replica_lacks_leaves_no_run_behind(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    names = ["plugged", "asleep", "starts", "kid"]
    async with open_lab(servers.nats_url, dsn, tmp_path) as lab:
        bare = dict(lab.env)
        lab.env.update(with_plugin(tmp_path))
        able = await lab.start_known()
        await lab.automation("plugged", [record("a"), SEND], triggers=[CAME])
        await lab.automation("asleep", [record("a"), nap(1), SEND, record("b")])
        kid = await lab.automation("kid", [SEND, record("kid")])
        await lab.automation("starts", [record("a"), start(kid, wait=True), record("b")])
        await lab.automation("plain", [record("a"), nap(0.3), record("b")])
        lab.env = bare
        unable = await lab.start_known()
        for n in range(RUNS):
            for name in ("asleep", "starts", "plain"):
                await lab.tell(name, n)
            await lab.publish("odd.came", {"n": n, "word": "go"}, f"k{n}", f"came {n}")
            await asyncio.sleep(0.05)
        await lab.until_ended(5 * RUNS)
        await has_none(lab, "select count(*) from runs where finished_at is null")
        ends = {(row[0], row[1]): row[2] for row in await lab.rows(ENDS, [*names, "plain"])}
        assert ends == {(name, "success"): RUNS for name in (*names, "plain")}
        assert {one["kind"] for one in await parked(lab)} == {"automation"}
        assert (await lab.ask("dead.list"))["items"] == []
        assert (able.returncode, unable.returncode) == (None, None)
        await check(lab)
        await check_events(lab)
        calls = Counter(one.path for one in Recorder.read(lab.record_file))
        assert calls.total() == 8 * RUNS, "1 plugged, 2 asleep, 2 starts, 1 kid, 2 plain"
