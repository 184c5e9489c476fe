"""The doctor: of each damage it says what it is and how to mend it; of health, that all is well."""

import asyncio
import io
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from databases import on_server
from engine.engine_fixture import engine_fixture, rows, settings_of
from engine.test_probes import free_port
from lockstep import bus, embedded
from lockstep.bus import api
from lockstep.bus.doctor import Rights, allows, covers
from lockstep.catalog import plugins
from lockstep.cli.commands import doctor
from lockstep.embedded import Servers, packages
from lockstep.model.errors import SettingError
from lockstep.model.findings import clock
from lockstep.model.ids import uuid7
from lockstep.settings.structs import PostgresSettings, Settings
from lockstep.store.migrate import migrate
from patience import patience
from processes import environment

Examine = Callable[..., Any]


@pytest.fixture
async def settings(servers: Servers, dsn: str) -> Settings:
    """Servers that an engine has prepared, and left in good order."""
    made = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}")
    async with engine_fixture(made):
        pass
    return made


async def examined(
    settings: Settings,
    monitor: str | None = None,
    patience_seconds: float = doctor.PATIENCE_SECONDS,
) -> tuple[bool, dict[str, list[dict[str, str]]]]:
    """What `lockstep doctor --json` says: whether all is well, and the findings by check."""
    with redirect_stdout(io.StringIO()) as shown:
        is_well = await doctor.doctor(
            settings, monitor, as_json=True, patience_seconds=patience_seconds
        )
    _, brace, text = shown.getvalue().partition("{\n")  # before it are log lines
    told = json.loads(brace + text)
    assert told["ok"] == is_well
    found: dict[str, list[dict[str, str]]] = {}
    for one in told["findings"]:
        found.setdefault(one["check"], []).append(one)
        assert one["verdict"] == "ok" or one["mend"], "a fault without a hint helps nobody"
    return is_well, found


async def damage(
    settings: Settings, statement: str, *arguments: object
) -> dict[str, list[dict[str, str]]]:
    """Damage the tables, and look."""
    await rows(settings.postgres.dsn, statement, *arguments)
    is_well, found = await examined(settings)
    assert not is_well
    return found


def faults(found: dict[str, list[dict[str, str]]]) -> set[str]:
    """The checks that found a fault; the disk of a server for tests is none."""
    return {
        check
        for check, ones in found.items()
        if any(one["verdict"] == "fault" for one in ones) and check != "postgres.disk"
    }


async def test_of_a_whole_that_is_well_nothing_is_said_but_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with embedded.start(tmp_path) as servers:
        await migrate(servers.postgres_dsn)
        made = Settings(
            nats=bus.BusSettings(servers=[servers.nats_url]),
            postgres=PostgresSettings(dsn=servers.postgres_dsn),
        )
        async with engine_fixture(made) as opened:
            stored = await opened.automation([{"delay": {"seconds": 600}}])
            await opened.publish(stored.event, {})
            await opened.heard(stored.id, "waiting")
            is_well, found = await examined(made)
            assert is_well, found
            verdicts = {check: {one["verdict"] for one in ones} for check, ones in found.items()}
            assert verdicts.pop("nats.sync") == {"unknown"}, "the server tells its operators only"
            assert all(one == {"ok"} for one in verdicts.values()), found
            assert await doctor.doctor(made, None, as_json=False)
            shown = capsys.readouterr()
            assert "postgres.migrations all are applied" in shown.out
            assert "0 faults, 0 warnings" in shown.err


async def test_servers_that_are_away_are_named(settings: Settings) -> None:
    gone = msgspec.structs.replace(
        settings,
        nats=msgspec.structs.replace(settings.nats, servers=[f"nats://127.0.0.1:{free_port()}"]),
        postgres=PostgresSettings(dsn=f"postgresql://x@127.0.0.1:{free_port()}/x"),
    )
    _, found = await examined(gone, patience_seconds=0.0)
    assert faults(found) == {"nats.server", "postgres.server"}


async def test_migrations_that_are_missing_are_named(settings: Settings) -> None:
    found = await damage(settings, "delete from schema_migrations where name = '0003_gates'")
    (one,) = found["postgres.migrations"]
    assert "0003_gates" in one["found"]
    assert "lockstep db migrate" in one["mend"]
    assert "runs.owner" not in found, "an unknown schema is not asked"


async def test_a_role_without_rights_is_told_which(
    servers: Servers, settings: Settings, dsn: str
) -> None:
    role = f"r{uuid4().hex[:8]}"
    await on_server(servers.postgres_dsn, f"create role {role} login")
    await rows(
        dsn, f"grant select, insert, update, delete on all tables in schema public to {role}"
    )
    asked = PostgresSettings(dsn=dsn.replace("lockstep@", f"{role}@"))
    limited = msgspec.structs.replace(settings, postgres=asked)
    _, found = await examined(limited)
    assert not faults(found)
    await rows(dsn, f"revoke update on waits, runs from {role}")
    _, found = await examined(limited)
    assert faults(found) == {"postgres.rights"}
    assert "runs, waits" in found["postgres.rights"][0]["found"]


async def test_a_database_that_does_not_wait_for_the_disk_is_told(
    settings: Settings, dsn: str
) -> None:
    name = dsn.partition("?")[0].rpartition("/")[2]
    found = await damage(settings, f"alter database {name} set synchronous_commit = off")
    assert "synchronous_commit" in found["postgres.disk"][0]["found"]


RUN = """
    insert into runs (id, automation_id, automation_name, version, trigger_id, trigger_event_id,
        trigger_payload, trigger_time, actor, status, owner, epoch, rank_time, rank_sequence,
        started_at, finished_at, gate, queued, created_at)
    select $1, 'a', 'n', 1, 't', 'e', '{}', now(), '{}', $2, $3, 1, now(), 1, now(),
           case when $2 = 'success' then now() end, 'a', $4, now() - interval '1 hour'
"""
WAIT = """
    insert into waits (id, run_id, kind, action_path, waiting_for, due_at, armed_at)
    values ($1, $1, 'delay', 'actions[0]', 'x', now() + $2 * interval '1 second', now())
"""
FRAMES = "insert into run_frames (run_id, epoch) values ($1, 1)"
WORKER = """
    insert into workers (id, name, engine_version, heartbeat_at)
    values ($1, 'host', '1', now() - $2 * interval '1 second')
"""


async def test_a_run_whose_worker_is_gone_is_found_and_one_whose_worker_lives_is_not(
    settings: Settings, dsn: str
) -> None:
    lost, kept, worker = uuid7(), uuid7(), uuid7()
    await rows(dsn, WORKER, worker, 0)
    for run, owner in ((lost, uuid7()), (kept, worker)):
        await rows(dsn, RUN, run, "running", owner, False)
        await rows(dsn, FRAMES, run)
    _, found = await examined(settings)
    assert faults(found) == {"runs.owner"}
    assert str(lost) in found["runs.owner"][0]["found"]
    assert str(kept) not in found["runs.owner"][0]["found"]


async def test_a_run_that_sleeps_for_nothing_is_found(settings: Settings, dsn: str) -> None:
    lost, sound = uuid7(), uuid7()
    for run in (lost, sound):
        await rows(dsn, RUN, run, "waiting", None, False)
        await rows(dsn, FRAMES, run)
    found = await damage(settings, WAIT, sound, 600)
    assert faults(found) == {"runs.asleep"}
    text = "1 run asleep with nothing to wait for, so that nothing will wake them"
    assert found["runs.asleep"][0]["found"] == f"{text}: {lost}"


async def test_a_queue_that_nobody_holds_up_is_found(settings: Settings, dsn: str) -> None:
    queued, first = uuid7(), uuid7()
    await rows(dsn, FRAMES, queued)
    found = await damage(settings, RUN, queued, "pending", None, True)
    assert faults(found) == {"runs.queued"}
    await rows(dsn, FRAMES, first)
    await rows(dsn, RUN, first, "pending", None, False)
    _, found = await examined(settings)
    assert not faults(found)


async def test_a_run_without_its_saved_state_is_found(settings: Settings) -> None:
    found = await damage(settings, RUN, uuid7(), "pending", None, False)
    assert faults(found) == {"runs.frames"}


async def test_waits_and_saved_states_of_runs_that_are_over_or_gone_are_found(
    settings: Settings, dsn: str
) -> None:
    over, gone = uuid7(), uuid7()
    await rows(dsn, RUN, over, "success", None, False)
    for run in (over, gone):
        await rows(dsn, WAIT, run, 600)
        await rows(dsn, FRAMES, run)
    _, found = await examined(settings)
    assert faults(found) == {"waits.run", "frames.run"}
    for check in ("waits.run", "frames.run"):
        assert found[check][0]["found"].startswith("2 ")
        await rows(dsn, found[check][0]["mend"].partition(": ")[2])  # what it says mends it
    _, found = await examined(settings)
    assert not faults(found)


async def test_what_should_have_been_woken_or_sent_long_ago_is_found(
    settings: Settings, dsn: str
) -> None:
    run = uuid7()
    await rows(dsn, RUN, run, "waiting", None, False)
    await rows(dsn, FRAMES, run)
    await rows(dsn, WAIT, run, -90)
    found = await damage(
        settings,
        "insert into outbox values ('t', 1, 's', 'm', 'x', now() - interval '2 minutes')",
    )
    assert faults(found) == {"waits.overdue", "outbox.age"}
    assert "t:1" in found["outbox.age"][0]["found"]


async def test_a_worker_that_was_killed_is_a_warning(settings: Settings, dsn: str) -> None:
    await rows(dsn, WORKER, uuid7(), 120)
    _, found = await examined(settings)
    assert not faults(found)
    assert found["workers.dead"][0]["verdict"] == "warning"
    assert "(host)" in found["workers.dead"][0]["found"]


async def test_streams_and_groups_that_are_gone_or_otherwise_are_found(settings: Settings) -> None:
    connection = await bus.connect(settings.nats)
    try:
        names = connection.names
        await api.call(connection, f"STREAM.DELETE.{names.dead_stream}")
        await api.call(connection, f"CONSUMER.DELETE.{names.triggers_stream}.engine")
    finally:
        await connection.close()
    wanted = msgspec.structs.replace(settings.nats, runs_max_age_days=3.0)
    _, found = await examined(msgspec.structs.replace(settings, nats=wanted))
    assert faults(found) == {"nats.streams"}
    lines = sorted(one["found"] for one in found["nats.streams"])
    assert [line.partition(":")[0] for line in lines] == [
        f"consumer {names.triggers_stream}.engine is missing",
        f"stream {names.dead_stream} is missing",
        f"stream {names.runs_stream}",
    ]
    assert all("start an engine" in one["mend"] for one in found["nats.streams"])


async def test_events_of_a_lane_that_nobody_takes_are_found(settings: Settings) -> None:
    nats = msgspec.structs.replace(settings.nats, lanes=["slow", "fast", "idle"])
    connection = await bus.connect(nats)
    try:
        await bus.apply(connection)
        names = connection.names
        for lane in ("slow", "slow", "fast"):
            subject = names.trigger("e.x", lane)
            await bus.Publisher(connection).publish(subject, b"{}", {})
        for lane in ("slow", "idle"):
            await api.call(connection, f"CONSUMER.DELETE.{names.triggers_stream}.lane-{lane}")
    finally:
        await connection.close()
    _, found = await examined(msgspec.structs.replace(settings, nats=nats))
    (one,) = found["nats.lanes"]
    assert (one["verdict"], one["found"]) == (
        "warning",
        "nobody takes the events of lanes: slow (2 events); they hold nothing up",
    )
    _, found = await examined(settings)
    assert found["nats.lanes"][0]["verdict"] == "warning", "whatever the settings name"


async def answering(port: int) -> None:
    """Wait until somebody listens on a port."""
    async with patience():
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return


@asynccontextmanager
async def nats_server(folder: Path, more: str) -> AsyncIterator[tuple[int, int]]:
    """A server with a configuration of its own: its port, and that of its monitoring."""
    port, monitor = free_port(), free_port()
    config = folder / "nats.conf"
    config.write_text(f'host: 127.0.0.1\nport: {port}\nhttp: "127.0.0.1:{monitor}"\n{more}')
    process = await asyncio.create_subprocess_exec(
        str(packages.nats_server()), "--config", str(config), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await asyncio.gather(answering(port), answering(monitor))
        yield port, monitor
    finally:
        process.terminate()
        await process.wait()


async def test_a_user_without_rights_is_told_which(settings: Settings, tmp_path: Path) -> None:
    config = f"""
        jetstream {{ store_dir: "{tmp_path}/js" }}
        authorization {{ users = [{{ user: u, password: p, permissions: {{
            publish: {{ deny: ["{settings.nats.prefix}.run.>"] }}
            subscribe: {{ allow: ["_INBOX.>"] }}
        }} }}] }}
    """
    async with nats_server(tmp_path, config) as (port, monitor):
        nats = msgspec.structs.replace(
            settings.nats,
            servers=[f"nats://127.0.0.1:{port}"],
            user="u",
            password="p",
        )
        asked = msgspec.structs.replace(settings, nats=nats)
        _, found = await examined(asked, f"http://127.0.0.1:{monitor}")
        (one,) = found["nats.rights"]
        prefix = settings.nats.prefix
        assert one["found"] == (
            f"the user may not: publish {prefix}.run.x.x, subscribe {prefix}.api.x.x, "
            f"subscribe {prefix}.worker.x, subscribe $SRV.PING"
        )
        assert found["nats.sync"][0]["verdict"] == "warning"
        assert "every 120 s" in found["nats.sync"][0]["found"]


async def test_a_server_that_syncs_always_is_well(settings: Settings, tmp_path: Path) -> None:
    config = f'jetstream {{ store_dir: "{tmp_path}/js", sync_interval: always }}'
    async with nats_server(tmp_path, config) as (port, monitor):
        nats = msgspec.structs.replace(settings.nats, servers=[f"nats://127.0.0.1:{port}"])
        connection = await bus.connect(nats)  # waits until it is there
        await connection.close()
        asked = msgspec.structs.replace(settings, nats=nats)
        _, found = await examined(asked, f"http://127.0.0.1:{monitor}")
        assert found["nats.sync"][0]["verdict"] == "ok"


async def test_the_command_ends_with_1_where_something_is_wrong_and_writes_json(
    settings: Settings, dsn: str, tmp_path: Path
) -> None:
    nats = settings.nats
    env = environment(
        NATS__SERVERS=nats.servers[0], NATS__PREFIX=nats.prefix, NATS__STORAGE="memory",
        POSTGRES__DSN=dsn,
    )  # fmt: skip
    await rows(dsn, FRAMES, uuid7())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lockstep", "doctor", "--json", env=env, cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    written, _ = await process.communicate()
    told = json.loads(written)
    assert (process.returncode, told["ok"]) == (1, False)
    (one,) = [one for one in told["findings"] if one["check"] == "frames.run"]
    assert (one["verdict"], one["mend"][:25]) == ("fault", "they only take room: dele")


async def test_a_monitoring_port_that_is_none_is_said(settings: Settings) -> None:
    with pytest.raises(SettingError, match="does not answer"):
        await doctor.doctor(settings, f"http://127.0.0.1:{free_port()}", as_json=True)
    with pytest.raises(SettingError, match="is expected"):
        await doctor.doctor(settings, "file:///etc/passwd", as_json=True)


async def test_a_plugin_and_a_file_that_cannot_be_loaded_are_found(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "installed" / "broken-1.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Name: broken\nVersion: 1\n")
    point = f"[{plugins.GROUP}]\nbroken = no.such.package:plugin\n"
    (installed / "entry_points.txt").write_text(point)
    monkeypatch.syspath_prepend(installed.parent)
    triggers = tmp_path / "triggers"
    triggers.mkdir()
    (triggers / "wrong.yaml").write_text("id: 7")
    engine = msgspec.structs.replace(settings.engine, triggers_folder=str(triggers))
    _, found = await examined(msgspec.structs.replace(settings, engine=engine))
    assert faults(found) == {"plugins", "triggers"}
    assert "'broken' (no.such.package:plugin)" in found["plugins"][0]["found"]


@pytest.mark.parametrize(("seconds", "verdict"), [(0.0, "ok"), (0.9, "ok"), (5, "fault")])
@pytest.mark.parametrize("sign", [1, -1])
def test_clocks_that_differ_by_more_than_a_second_are_told(
    seconds: float, sign: int, verdict: str
) -> None:
    now = time.time()
    other = datetime.fromtimestamp(now, UTC) + sign * timedelta(seconds=seconds)
    found = clock("nats.clock", "NATS", other, now, now)
    assert found.verdict == verdict
    if verdict == "fault":
        assert ("ahead of" if sign > 0 else "behind") in found.found


@pytest.mark.parametrize(
    ("pattern", "subject", "covered"),
    [
        (">", "a", True),
        ("a.>", "a", False),
        ("a.*", "a.b", True),
        ("a.*", "a.b.c", False),
        ("a.*.c", "a.b.c", True),
        ("a.b", "a.b.c", False),
        ("a.*", "a.>", False),
        ("a.>", "a.>", True),
    ],
)
def test_a_right_covers_what_its_pattern_matches(pattern: str, subject: str, covered: bool) -> None:
    assert covers(pattern, subject) == covered


def test_what_is_denied_is_not_allowed_and_nothing_said_allows_all() -> None:
    assert allows(Rights(), "a")
    assert not allows(Rights(deny=["a"]), "a")
    assert not allows(Rights(allow=["b"]), "a")
    assert not allows(Rights(allow=["a"], deny=[">"]), "a")
    assert json.dumps(msgspec.to_builtins(Rights())) == '{"allow": [], "deny": []}'
