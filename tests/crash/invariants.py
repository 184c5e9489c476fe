"""What holds however often replicas die: judged from the tables, the stream and the calls."""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgspec

from crash.fleet import KEY, Fleet
from crash.sleepers import name_of, undisturbed
from lockstep.catalog import Recorder
from lockstep.catalog.stubs import StubCall
from lockstep_schemas.run_events import RunEvent
from processes import RunEvents, read_run_events

FINAL = {"success": "succeeded", "failed": "failed"}

# I5, in one snapshot: whoever runs has an owner and nobody else has; whoever sleeps can be woken
# and has not been, or is parked; frames are there as long as the run is active, waits no longer
# than that.
MISPLACED = """
    select r.id::text, r.status, r.owner::text, r.epoch, r.wakes, f.run_id is not null as frames,
           w.armed, w.fired
      from runs r
      left join run_frames f on f.run_id = r.id
     cross join lateral (
           select count(*) filter (where state <> 'fired' and kind <> 'deadline') as armed,
                  count(*) filter (where state = 'fired') as fired
             from waits where run_id = r.id
           ) as w
     where (r.status = 'running') <> (r.owner is not null)
        or (r.finished_at is null) <> (f.run_id is not null)
        or (r.finished_at is null and r.status not in ('pending', 'running', 'waiting'))
        or (r.status = 'waiting' and r.parked_at is null and (w.armed = 0 or w.fired > 0))
        or (r.finished_at is not null and exists (select from waits where run_id = r.id))
"""
SUCCEEDED = """
    select run_id || ':' || action_path, attempts from run_steps
     where status = 'success' and provider_action_id is not null
"""
LEFT = """
    select (select count(*) from runs where finished_at is null) as active,
           (select count(*) from runs where owner is not null) as owned,
           (select count(*) from run_frames) as frames,
           (select count(*) from waits) as waits,
           (select count(*) from outbox) as unsent,
           (select count(*) from run_steps where finished_at is null) as open_steps,
           (select count(*) from (
               select from run_steps group by run_id, action_path having count(*) > 1
           ) as twice) as doubles
"""
RUNS = """
    select id::text, automation_name, status, error_message, trigger_payload, context_key, epoch
      from runs order by position
"""
STEPS = """
    select run_id::text, action_path, action_kind, provider_action_id, status, attempts
      from run_steps order by run_id, seq
"""
# By different events: of one it may be noted twice, when it was in doubt whether it was noted.
WOKEN_TWICE = """
    select detail, count(distinct delivery) from judgements
     where gate = 'wait' group by detail having count(distinct delivery) > 1
"""
EVERYTHING = """
    select (select md5(string_agg(r::text, '' order by id)) from runs r) as runs,
           (select md5(string_agg(s::text, '' order by run_id, seq)) from run_steps s) as steps,
           (select count(*) from waits) as waits,
           (select count(*) from run_frames) as frames,
           (select count(*) from outbox) as unsent
"""


@dataclass
class Watch:
    """Looks at I3 and I5 while replicas die."""

    fleet: Fleet
    over: list[tuple[int, dict[str, int]]] = field(default_factory=list)

    async def look(self) -> None:
        """Judge the tables as they are, and note which steps have succeeded by now."""
        misplaced = [dict(row) for row in await self.fleet.rows(MISPLACED)]
        if misplaced:
            shown = await self.fleet.show([row["id"] for row in misplaced])
            raise AssertionError(f"I5: {misplaced[:5]}\n{shown}")
        done = {row[0]: row[1] for row in await self.fleet.rows(SUCCEEDED)}
        file = self.fleet.record_file
        self.over.append((file.stat().st_size if file.exists() else 0, done))

    def check(self, *, stopped: bool = False) -> None:
        """I3: no step is called after a look that saw its success.

        A replica that was `stopped` when it was about to call does so when it goes on; such a call
        is an earlier attempt than the one that has succeeded.
        """
        content = self.fleet.record_file.read_bytes()
        for size, done in self.over:
            again = [
                one
                for one in decoded(content[size:])
                if one.idempotency_key in done
                and not (stopped and one.attempt < done[one.idempotency_key])
            ]
            assert not again, f"I3: called after its success: {again[:5]}"


def decoded(content: bytes) -> Sequence[StubCall]:
    """Read calls from a part of a record file that begins with a line."""
    return msgspec.json.Decoder(StubCall).decode_lines(content)


async def check_end(fleet: Fleet, kills: int) -> int:
    """Judge all of it when every run has ended; give how many calls were made again.

    `kills` bounds how often one call is.
    """
    numbers = await _check_rows(fleet)
    repeated = await check_all_over(fleet, kills, numbers)
    _check_values(fleet, Recorder.read(fleet.record_file), numbers)
    return repeated


async def check_all_over(fleet: Fleet, kills: int, numbers: Mapping[str, int]) -> int:
    """Judge what holds whatever the runs were for; give how many calls were made again.

    `numbers`, by run id, are of runs of `sleepers`, whose failures are known.
    """
    (left,) = await fleet.rows(LEFT)
    assert not any(left.values()), f"I5: {dict(left)}"
    found = await read_run_events(fleet.url, fleet.prefix)
    found.check()
    await _check_events(fleet, found)
    calls = Recorder.read(fleet.record_file)
    repeated = await _check_calls(fleet, calls, numbers, kills)
    twice = [dict(row) for row in await fleet.rows(WOKEN_TWICE)]
    assert not twice, f"I6: woken twice: {twice[:5]}"
    return repeated


async def _check_rows(fleet: Fleet) -> dict[str, int]:
    """I1, I7: each event has its one run, which has ended as it should; give number by run id."""
    numbers: dict[str, int] = {}
    for row in await fleet.rows(RUNS):
        n = json.loads(row["trigger_payload"])["n"]
        wanted = undisturbed(n)
        assert row["automation_name"] == name_of(n)
        assert row["context_key"] == KEY
        seen = (row["status"], row["error_message"])
        assert seen == (wanted.status, wanted.error), f"I7: run {row['id']} of {n}: {seen}"
        numbers[row["id"]] = n
    runs = Counter(numbers.values())
    wrong = {n: runs[n] for n in fleet.published | runs.keys() if runs[n] != 1}
    assert not wrong, f"I1: runs by event: {wrong}"
    return numbers


async def _check_events(fleet: Fleet, found: RunEvents) -> None:
    """I2: what was told of each run is what its rows say, beginning with its start."""
    rows: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for row in await fleet.rows(STEPS):
        kind = {"success": "step_succeeded", "failed": "step_failed", "skipped": "step_skipped"}
        rows[row["run_id"]][row["action_path"], kind[row["status"]]] += 1
    status = {row["id"]: row["status"] for row in await fleet.rows(RUNS)}
    assert found.by_run.keys() == status.keys(), "I2: runs that were told, and those that were not"
    for run_id, events in found.by_run.items():
        whats = [event.type.rpartition(".")[2] for event in events]
        assert whats[0] == "started"
        assert whats[-1] == FINAL[status[run_id]]
        assert events[-1].data.status == status[run_id]
        naps = [what for what in whats if what in {"waiting", "resumed"}]
        assert all(a != b for a, b in pairwise(naps)), f"I2: run {run_id}: {whats}"
        assert Counter(naps)["waiting"] == Counter(naps)["resumed"]
        assert _ends(events) == rows[run_id], f"I2: run {run_id}: {_ends(events)} {rows[run_id]}"


def _ends(events: Sequence[RunEvent]) -> Counter[tuple[str, str]]:
    ends = {"step_succeeded", "step_failed", "step_skipped"}
    found = ((event.data.path or "", event.type.rpartition(".")[2]) for event in events)
    return Counter(one for one in found if one[1] in ends)


async def _check_calls(
    fleet: Fleet, calls: Sequence[StubCall], numbers: Mapping[str, int], kills: int
) -> int:
    """I3: a call is repeated by its policy, or where a replica died; always the same call."""
    attempts = {
        f"{row['run_id']}:{row['action_path']}": row["attempts"]
        for row in await fleet.rows(STEPS)
        if row["provider_action_id"] is not None
    }
    by_key: dict[str, list[StubCall]] = defaultdict(list)
    for one in calls:
        by_key[one.idempotency_key].append(one)
    assert by_key.keys() == attempts.keys(), "I3: steps that were not called, or calls without step"
    repeated = 0
    for key, group in by_key.items():
        assert all(one.value == group[0].value for one in group), f"I3: {group}"
        tries = [one.attempt for one in group]
        assert len(set(tries)) == len(tries), f"I3: an attempt that was made twice: {group}"
        assert max(tries) <= attempts[key], f"I3: {attempts[key]} attempts: {group}"
        wanted = 1
        if group[0].action == "test.fail":
            wanted = undisturbed(numbers[group[0].run_id]).fails[group[0].value["reason"]]
        assert wanted <= len(group) <= wanted + kills, f"I3: {kills} kills: {group}"
        repeated += len(group) - wanted
    return repeated


@dataclass
class Recorded:
    """What one run has recorded, each call counted once."""

    plain: Counter[str] = field(default_factory=Counter)
    tags: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # by place
    races: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, values: Iterable[str]) -> "Recorded":
        """Take recorded values apart."""
        found = cls()
        for value in values:
            match value.split(":"):
                case _, "tag", place, tag:
                    found.tags[place].append(tag)
                case _, "race", completed, tag:
                    found.races.append((completed, tag))
                case _:
                    found.plain[value] += 1
        return found


def _check_values(fleet: Fleet, calls: Sequence[StubCall], numbers: Mapping[str, int]) -> None:
    """I6, I7: what was recorded is what an undisturbed walk records."""
    values: dict[str, dict[str, Any]] = defaultdict(dict)
    fails: dict[str, set[str]] = defaultdict(set)
    for one in calls:
        if one.action == "test.record":
            values[one.run_id][one.idempotency_key] = one.value
        elif one.action == "test.fail":
            fails[one.run_id].add(one.value["reason"])
    for run_id, n in numbers.items():
        what, wanted = f"run {run_id} of {n}", undisturbed(n)
        found = Recorded.read(values[run_id].values())
        assert found.plain == wanted.records, f"I7: {what}: {found.plain} {wanted.records}"
        assert fails[run_id] == wanted.fails.keys(), f"I7: {what}: {fails[run_id]}"
        places = Counter({place: len(tags) for place, tags in found.tags.items()})
        assert places == wanted.tags, f"I7: {what}: {found.tags}"
        assert len(found.races) == wanted.races, f"I7: {what}: {found.races}"
        published = fleet.tags.get(f"key {n}", set())
        _check_tags(what, found.tags, published)
        for completed, tag in found.races:
            is_sound = tag in published if completed == "true" else not tag
            assert is_sound, f"I6: {what}: {completed} {tag}"


def _check_tags(what: str, tags: Mapping[str, Sequence[str]], published: set[str]) -> None:
    """I6: waits one after the other were ended by events of their own, all of them published."""
    strange = {tag for some in tags.values() for tag in some} - published
    assert not strange, f"I6: {what}: {strange} of {published}"
    places = [set(some) for _, some in sorted(tags.items())]
    shared = [a & b for i, a in enumerate(places) for b in places[i + 1 :] if a & b]
    assert not shared, f"I6: {what}: one event has ended waits that were armed after it: {tags}"


async def everything(fleet: Fleet) -> dict[str, Any]:
    """Give all that must not change any more when all runs have ended."""
    (found,) = await fleet.rows(EVERYTHING)
    info = await fleet.ask_jetstream(f"STREAM.INFO.{fleet.connection.names.runs_stream}")
    return {
        **dict(found),
        "run_events": info["state"]["last_seq"],
        "calls": fleet.record_file.stat().st_size,
    }


async def stays(fleet: Fleet, seconds: float, but: Collection[str] = ()) -> None:
    """I8: all is over, and stays as it is however long one looks."""
    before = await everything(fleet)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.sleep(0.5)
        now = await everything(fleet)
        changed = {name: (old, now[name]) for name, old in before.items() if now[name] != old}
        changed = {name: how for name, how in changed.items() if name not in but}
        assert not changed, f"I8: {changed}"
