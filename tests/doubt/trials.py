"""Plays a scenario while exchanges are left in doubt, and judges what has come of it."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from crash.invariants import FINAL, LEFT, MISPLACED, WOKEN_TWICE
from databases import TEMPLATE, database, on_server
from doubt import fates
from doubt.fates import Exchange, Fate, Once, Several
from doubt.lab import Lab, open_lab
from doubt.scenarios import SCENARIOS, Scenario
from lockstep.catalog import Recorder
from lockstep.embedded import Servers
from processes import read_run_events

SIDES: Final = {"before": fates.RESET_BEFORE, "after": fates.RESET_AFTER}
_IDS: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.+Z]+")
# What came first, an answer or the end of its wait: `crash.sleepers` has either as it may be.
_RACE: Final = re.compile(r"race:(true|false):.*")
RUNS: Final = """
    select id::text, automation_name, convert_from(trigger_payload, 'utf8') as payload, status,
           reason, error_message
      from runs
     where automation_id in (select id from automations)  -- else they are deleted, sooner or later
     order by position
"""
TELLS: Final = {**FINAL, "cancelled": "cancelled", "skipped": "skipped"}


@dataclass(frozen=True, slots=True)
class Point:
    """An exchange of a scenario, and whether the server has it when the connection breaks."""

    scenario: str
    mark: str
    side: str

    @property
    def fate(self) -> Fate:
        """What is done to it."""
        return SIDES[self.side]


def points() -> list[Point]:
    """Give every point there is: of each scenario, each write that it is there for, both sides."""
    return [
        Point(scenario.name, mark, side)
        for scenario in SCENARIOS.values()
        for mark in sorted(scenario.reaches)
        for side in SIDES
    ]


# What no scenario is there for, and why that is no gap.
UNTRIED: Final = {
    "automations/insert_many": "`migration.import`: one transaction, which its caller repeats",
    "imports/acknowledge": "as above",
    "imports/begin": "as above",
    "imports/imported": "as above",
    "imports/keep_failure": "as above",
    "clock/renew": "what was measured; it is measured again in seconds, and compared with the row",
    "cases/forget_all": "damage, for test cases",
    "cases/lose_frames": "damage, for test cases",
    "cases/mark_running": "damage, for test cases",
    "artifacts/forget": "deletes what is old; what is left goes a minute later",
    "bodies/forget": "as above",
    "decisions/forget": "as above",
    "receipts/forget": "as above",
    "receipts/forget_suspects": "as above",
    "recent/drop": "as above",
    "recent/forget": "as above",
    "recent/forget_marks": "as above",
    "recent/forget_taken": "as above",
    "recent/forget_versions": "as above",
    "recent/join_marks": "as above",
    "runs/forget": "as above",
    "triggers/forget_occurrences": "as above",
    "waits/forget_left": "as above",
    "workers/forget": "as above",
    "parked/claim_runs": "as runs/claim_ready: what is claimed and not walked is given up",
    "parked/drop_events": "in the transaction that judges them; else as the dead letters",
    "parked/drop_outbox": "of what a replica cannot handle, of which there is none here",
    "parked/drop_timer": "as parked/drop_outbox",
    "parked/events": "in the transaction of its batch, see receipts/take",
    "parked/forget_events": "of what nobody asks for; what is left goes the next time",
    "parked/forget_trials": "as parked/drop_outbox",
    "parked/keep_events": "as parked/drop_outbox",
    "parked/note_automations": "as parked/drop_outbox",
    "parked/outbox": "as parked/drop_outbox",
    "parked/release_outbox": "as parked/drop_outbox",
    "parked/release_timers": "as parked/drop_outbox",
    "parked/release_waits": "as parked/drop_outbox",
    "parked/replace_outbox": "as parked/drop_outbox",
    "parked/retry": "as parked/drop_outbox",
    "parked/runs": "a run of a replica that cannot read it; in doubt it is ours, and is given up",
    "parked/setup": "as parked/drop_outbox",
    "parked/timers": "as parked/drop_outbox",
    "parked/waits": "as parked/drop_outbox",
    "triggers/unpark_setups": "as parked/drop_outbox",
    "timers/end_schedule": "a cron without a tick in fifty years; else as timers/move_schedule",
}

Told = Counter[tuple[str, ...]]


@dataclass
class Outcome:
    """What has come of a scenario: the same each time, but for `seen`."""

    told: Told
    seen: Counter[str]  # durable exchanges by mark


async def play(
    servers: Servers, scenario: Scenario, folder: Path, judges: Sequence[Once] = ()
) -> Outcome:
    """Play a scenario on a database of its own.

    Raises:
        AssertionError: An invariant does not hold, or a judge has found nothing to strike at.
    """
    name = f"t_{uuid4().hex}"
    await on_server(servers.postgres_dsn, f"create database {name} template {TEMPLATE}")
    seen: Counter[str] = Counter()

    def heard(exchange: Exchange) -> None:
        if exchange.is_durable:
            seen.update(exchange.marks)

    try:
        home = folder / name
        home.mkdir()
        dsn = database(servers.postgres_dsn, name)
        async with open_lab(servers.nats_url, dsn, home, **scenario.settings) as lab:
            lab.arbiter, lab.heard = Several(judges), heard
            await scenario.play(lab)
            told = await check(lab)
            await check_events(lab)
            if scenario.races:
                told.clear()
        missed = [one.mark for one in judges if not one.struck]
        assert not missed, f"nothing to strike at: {missed}"
        return Outcome(told, seen)
    finally:
        await on_server(servers.postgres_dsn, f"drop database {name} with (force)")


async def check(lab: Lab) -> Told:
    """Judge all of it when every run has ended; give what is the same each time."""
    (left,) = await lab.rows(LEFT)
    assert not any(left.values()), f"I5: {dict(left)}"
    misplaced = [dict(row) for row in await lab.rows(MISPLACED)]
    assert not misplaced, f"I5: {misplaced[:5]}"
    twice = [dict(row) for row in await lab.rows(WOKEN_TWICE)]
    assert not twice, f"I6: woken twice: {twice[:5]}"
    runs = {row["id"]: row for row in await lab.rows(RUNS)}
    told: Told = Counter()
    for row in runs.values():
        about = [row[name] for name in ("payload", "status", "reason", "error_message")]
        told[(row["automation_name"], *(_same(one) for one in about))] += 1
    return told + _calls(lab, runs)


async def check_events(lab: Lab) -> None:
    """I2: each run that is there is told, without gap or double, up to how it has ended."""
    status = {row["id"]: row["status"] for row in await lab.rows(RUNS)}
    found = await read_run_events(lab.url, lab.prefix, lab.credentials or None)
    found.check()
    there = {row["id"] for row in await lab.rows("select id::text from automations")}
    told_of = {one for one, events in found.by_run.items() if events[0].data.automation_id in there}
    assert told_of == status.keys(), "I2: runs that were told, and those that were not"
    for run_id in told_of:
        last = found.by_run[run_id][-1].type.rpartition(".")[2]
        assert last == TELLS[status[run_id]], f"I2: run {run_id}: {last}"


def _calls(lab: Lab, runs: dict[str, Any]) -> Told:
    """I3: each attempt of a call is made once, and always the same call."""
    by_key: dict[str, list[Any]] = defaultdict(list)
    for one in Recorder.read(lab.record_file) if lab.record_file.exists() else ():
        by_key[one.idempotency_key].append(one)
    told: Told = Counter()
    for key, calls in by_key.items():
        attempts = [one.attempt for one in calls]
        assert len(set(attempts)) == len(attempts), f"I3: made twice: {calls}"
        assert all(one.value == calls[0].value for one in calls), f"I3: {key}: {calls}"
        run = runs.get(calls[0].run_id)  # None: deleted with its automation
        name = run["automation_name"] if run else "deleted"
        told[name, calls[0].path, _same(calls[0].value), f"{len(calls)} calls"] += 1
    return told


def _same(value: object) -> str:
    return _IDS.sub("...", _RACE.sub("race", str(value)))


def compare(wanted: Outcome, found: Outcome) -> None:
    """I1, I7: all is as if nothing had happened. What ticks is as often as there was time."""
    want, have = (
        Counter({one: 1 if one[0] == "ticks" else count for one, count in outcome.told.items()})
        for outcome in (wanted, found)
    )
    assert have == want, f"I7: less: {want - have}, more: {have - want}"
