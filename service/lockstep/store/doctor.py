"""What a look at PostgreSQL finds: version, schema, rights, clock, disk, and I5 over the tables."""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from lockstep.model.errors import EngineError
from lockstep.model.findings import (
    CLOCKS,
    Finding,
    Verdict,
    clock,
    fault,
    fine,
    unknown,
    warning,
)
from lockstep.store.migrate import pending
from lockstep.store.pool import Store, explained
from lockstep.store.queries import query
from lockstep.store.sessions import SETTINGS

if TYPE_CHECKING:
    from lockstep.store.pool import Connection

_SAID: Final = "do what it says, and look again"
SHOWN: Final = 5  # names in a line for people
MOST: Final = 1000  # rows that are read of what breaks a rule: "1000 or more" says enough
FAR_SECONDS: Final = 0.5  # as in the alert
OLD_SECONDS: Final = 60.0  # longer than all that mends itself: adoption, sweeps, retries
SILENT_SECONDS: Final = 5.0  # at the least: a shorter silence is nothing that people need look at
TABLES: Final = (
    "action_types", "artifacts", "automation_versions", "automations", "catalog_revision",
    "failed_frames", "judgements", "occurrences", "outbox", "parked_events", "receipts",
    "run_frames", "run_steps", "runs", "stream_clocks", "suspects", "timers", "trigger_types",
    "waits", "workers",
)  # fmt: skip


class Rule(msgspec.Struct, frozen=True):
    """What must not be in the tables: a query that gives the rows which break it."""

    check: str
    query: str
    noun: str
    fine: str
    wrong: str  # follows number and noun
    mend: str
    verdict: Verdict = "fault"


RULES: Final = (
    Rule(
        "runs.owner",
        "doctor/runs_owner",
        "run",
        "each run that is executed has a worker that lives",
        "executed by a worker that is gone",
        "start an engine: it adopts them within seconds",
    ),
    Rule(
        "runs.asleep",
        "doctor/runs_asleep",
        "run",
        "each run that sleeps has something to wait for",
        "asleep with nothing to wait for, so that nothing will wake them",
        "cancel them (`lockstep cancel RUN_ID`), and start them again (`lockstep retry`)",
    ),
    Rule(
        "runs.queued",
        "doctor/runs_queued",
        "run",
        "each queue has a run that holds it up",
        "in a queue that no run holds up",
        "start an engine: it lets them go within seconds",
    ),
    Rule(
        "runs.frames",
        "doctor/runs_frames",
        "run",
        "each active run has its saved state",
        "active without a saved state",
        "they fail when they are taken up; restore the table run_frames from a backup to keep them",
    ),
    Rule(
        "waits.run",
        "doctor/waits_run",
        "wait",
        "each wait belongs to an active run",
        "that nobody waits for",
        "they wake nothing: delete from waits w where not exists (select from runs r "
        "where r.id = w.run_id and r.finished_at is null)",
    ),
    Rule(
        "waits.overdue",
        "doctor/waits_overdue",
        "wait",
        "what was due has been woken",
        "overdue by more than a minute",
        "start an engine; if one runs, `lockstep runs show` says what holds a wait up, or look for "
        "`store.unavailable` in its log",
    ),
    Rule(
        "frames.run",
        "doctor/frames_run",
        "saved state",
        "each saved state belongs to an active run",
        "that no run needs",
        "they only take room: delete from run_frames f where not exists (select from runs r "
        "where r.id = f.run_id and r.finished_at is null)",
    ),
    Rule(
        "outbox.age",
        "doctor/outbox_age",
        "run event",
        "run events reach the bus",
        "older than a minute that the bus has not acknowledged",
        "see that an engine runs and that NATS takes them (`outbox.delayed` in its log; is the "
        "stream of run events full?)",
    ),
    Rule(
        "rows.parked",
        "doctor/parked",
        "row",
        "each row can be handled by some replica",
        "parked: no replica that runs can handle them",
        "see `lockstep parked list`; start a version, or one with the plug-ins, that can; or "
        "`lockstep parked discard ID`",
        "warning",
    ),
    Rule(
        "workers.dead",
        "doctor/workers_dead",
        "worker",
        "each worker that was started lives, or ended in good order",
        "not heard of for a minute",
        "they were killed or cut off; their runs go on elsewhere. Their log has the reason",
        "warning",
    ),
)


async def examine(dsn: str, stale_seconds: float) -> list[Finding]:
    """Look at PostgreSQL and at the tables; nothing is changed."""
    try:
        with explained():
            store = await Store.connect(dsn, 2)
    except EngineError as error:
        mend = "start it, or see postgres.dsn and postgres.password_file"
        return [fault("postgres.server", str(error), mend if error.category == "busy" else _SAID)]
    try:
        return await _examine(store, dsn, stale_seconds)
    except EngineError as error:
        mend = "grant what is denied to the role, or see the log of PostgreSQL"
        return [fault("postgres.server", str(error), mend)]
    finally:
        await store.close()


async def _examine(store: Store, dsn: str, stale_seconds: float) -> list[Finding]:
    with explained():
        missing = await pending(dsn)
    async with store.connection() as connection:
        version = connection.get_server_version()
        found = [fine("postgres.server", f"PostgreSQL {version.major}.{version.micro}")]
        found.append(await _sessions(connection))
        found.append(await _clock(connection))
        found.append(await _disk(connection))
        if missing:
            text = f"missing: {', '.join(missing)}"
            mend = "run `lockstep db migrate`, as the role that owns the tables"
            return [*found, fault("postgres.migrations", text, mend)]
        found.append(fine("postgres.migrations", "all are applied"))
        allowed = await _rights(connection)
        found.append(allowed)
        if allowed.verdict == "ok":
            found += [await _judged(connection, rule, stale_seconds) for rule in RULES]
            found.append(await _stream_clocks(connection))
    return found


async def _sessions(connection: "Connection") -> Finding:
    """Say what holds in a session; that a pooler takes none from us was tried at its start."""
    process = await connection.fetchval(*query("sessions/process"))
    through = "through a pooler of sessions, " if process != connection.get_server_pid() else ""
    names = sorted(SETTINGS)
    (row,) = await connection.fetch(*query("sessions/found", names=names))
    values = ", ".join(f"{name} {value}" for name, value in zip(names, row["values"], strict=True))
    return fine("postgres.sessions", f"{through}with {values}")


async def _clock(connection: "Connection") -> Finding:
    before = time.time()
    theirs: datetime = await connection.fetchval(*query("doctor/clock"))
    return clock("postgres.clock", "PostgreSQL", theirs, before, time.time())


async def _stream_clocks(connection: "Connection") -> Finding:
    """Say how far the clock of the stream of events is from that of the database."""
    check, rows = "stream.clock", await connection.fetch(*query("doctor/stream_clocks"))
    if not rows:
        return unknown(check, "the clock of the stream was not measured yet", "start an engine")
    ages = [row["age_seconds"] for row in rows]
    if min(ages) > OLD_SECONDS * 2:
        text = f"no engine has measured the clock of the stream for {min(ages):.0f} s"
        return unknown(check, text, "if one runs, see `problems` of `lockstep status`")
    row = rows[ages.index(min(ages))]
    ahead, error = (row[name].total_seconds() for name in ("ahead", "error"))
    side = "behind" if ahead < 0 else "ahead of"
    on = f"{row['stream']}, led by {row['leader']}," if row["leader"] else row["stream"]
    text = f"the clock of {on} is {abs(ahead):.4f} s {side} that of PostgreSQL, to {error:.4f} s"
    if abs(ahead) <= FAR_SECONDS:
        return fine(check, text)
    return warning(check, f"{text}; times of events are corrected by that", CLOCKS)


async def _disk(connection: "Connection") -> Finding:
    """Say whether what is committed is on the disk."""
    rows = await connection.fetch(*query("doctor/disk"))
    off = [row["name"] for row in rows]
    if not off:
        return fine("postgres.disk", "what is committed is on the disk")
    return fault(
        "postgres.disk",
        f"{', '.join(off)} off: a crash of the server loses or breaks what was committed",
        "switch it on in postgresql.conf, or for the role and the database (alter role, alter "
        "database)",
    )


async def _rights(connection: "Connection") -> Finding:
    rows = await connection.fetch(*query("doctor/rights", tables=TABLES))
    lacking = [row["name"] for row in rows]
    if not lacking:
        return fine("postgres.rights", "the role may read and write all tables")
    return fault(
        "postgres.rights",
        f"the role may not read and write: {', '.join(lacking)}",
        "as the owner: grant select, insert, update, delete on all tables in schema public to ROLE",
    )


async def _judged(connection: "Connection", rule: Rule, stale_seconds: float) -> Finding:
    seconds = max(stale_seconds, SILENT_SECONDS) if rule.check == "runs.owner" else OLD_SECONDS
    rows = await connection.fetch(*query(rule.query, seconds=seconds, limit=MOST))
    if not rows:
        return fine(rule.check, rule.fine)
    more = len(rows) - SHOWN
    names = ", ".join(row["name"] for row in rows[:SHOWN]) + (f" and {more} more" * (more > 0))
    number = f"{len(rows)}" if len(rows) < MOST else f"{MOST} or more"
    about = f"{number} {rule.noun}{'s' * (len(rows) > 1)} {rule.wrong}: {names}"
    return Finding(rule.check, rule.verdict, about, rule.mend)
