"""The gate: what each mode makes of a hit; the mode holds whatever comes in which order."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.gate import admit, queue_key_of
from lockstep.model.admissions import REPLACED, Active, Admission
from lockstep.model.automations import Automation
from lockstep.model.matches import TriggerMatch
from unit.fakes import Rows
from unit.moved import Clock, moved
from unit.values import NOW, automation, event, later, match, uid

KEYS = [None, "", "k"]


def active(number: int, of: str = "a", key: str | None = None, sequence: int = 1) -> Active:
    """A run that is active, started by the n-th event of the stream."""
    return Active(uid(number), of, key, (later(sequence), sequence))


def rows(*runs: Active) -> Rows:
    """A transaction that finds these runs active."""
    tx = Rows()
    tx.active = {run.id: run for run in runs}
    return tx


async def outcomes(matches: Sequence[TriggerMatch], tx: Rows) -> list[tuple[str, str | None]]:
    """What becomes of hits, and why."""
    admissions, _ = await admit(matches, tx.port, Clock())
    return [(admission.outcome, admission.reason) for admission in admissions]


def matches(of: Automation, *sequences: int, key: str | None = None) -> list[TriggerMatch]:
    """The hits of some events of the stream."""
    return [match(of, event(sequence, key)) for sequence in sequences]


@moved
async def test_single_starts_one_and_refuses_while_it_is_active() -> None:
    one = automation(mode="single")
    refused = ("refuse", "mode single: a run is active")
    assert await outcomes(matches(one, 1, 2), rows()) == [("start", None), refused]
    assert await outcomes(matches(one, 3), rows(active(1))) == [refused]


@moved
async def test_parallel_starts_up_to_max_runs_and_counts_those_of_the_batch() -> None:
    one = automation(mode="parallel", max_runs=3)
    told = await outcomes(matches(one, 1, 2, 3, 4), rows(active(1)))
    # What is refused counts for nothing, in the words of the next refusal too.
    refused = ("refuse", "mode parallel: 3 runs are active, max_runs is 3")
    assert told == [("start", None), ("start", None), refused, refused]


@moved
async def test_queued_starts_one_queues_the_others_in_order_and_refuses_at_max_runs() -> None:
    one = automation(mode="queued", max_runs=3)
    admissions, replaced = await admit(matches(one, 1, 2, 3, 4), rows().port, Clock())
    assert [(a.match.event.sequence, a.outcome) for a in admissions] == [
        (1, "start"), (2, "queue"), (3, "queue"), (4, "refuse"),
    ]  # fmt: skip
    assert admissions[3].reason == "mode queued: 3 runs are active or queued, max_runs is 3"
    assert {a.queue_key for a in admissions} == {"a"}  # the queue they stand in
    assert replaced == []


@moved
async def test_queued_puts_behind_what_runs_already() -> None:
    one = automation(mode="queued")
    assert await outcomes(matches(one, 2), rows(active(1))) == [("queue", None)]


@moved
async def test_restart_replaces_older_runs_and_starts() -> None:
    one = automation(mode="restart")
    tx = rows(active(1, sequence=1), active(2, sequence=2))
    admissions, replaced = await admit(matches(one, 3), tx.port, Clock())
    assert [a.outcome for a in admissions] == ["start"]
    assert sorted(replaced) == [uid(1), uid(2)]


@moved
async def test_restart_never_gives_the_run_of_a_newer_event_to_an_older_one() -> None:
    one = automation(mode="restart")
    tx = rows(active(1, sequence=5))
    admissions, replaced = await admit(matches(one, 4), tx.port, Clock())
    assert [(a.outcome, a.reason) for a in admissions] == [("supersede", "superseded")]
    assert replaced == []


@moved
async def test_restart_decides_between_events_of_one_batch_too() -> None:
    one = automation(mode="restart")
    told = await outcomes(matches(one, 1, 3, 2), rows())
    assert told == [("replace", REPLACED), ("start", None), ("supersede", "superseded")]


@moved
async def test_restart_ranks_events_of_one_moment_by_their_place_in_the_stream() -> None:
    one = automation(mode="restart")
    both = [match(one, event(sequence, time=NOW)) for sequence in (2, 1)]
    assert [told for told, _ in await outcomes(both, rows())] == ["start", "supersede"]


@moved
async def test_a_start_without_an_event_ranks_by_when_it_reaches_the_gate() -> None:
    """By hand, a schedule, a child: its time may be that of an event of last week."""
    one = automation(mode="restart")
    by_hand = match(one, event(0, time=later(-1000)))
    assert [o for o, _ in await outcomes([by_hand], rows(active(1, sequence=-5)))] == ["start"]
    # The run of an event that the stream stored after that is newer.
    told = await outcomes([by_hand], rows(active(1, sequence=5)))
    assert told == [("supersede", "superseded")]


@pytest.mark.parametrize("mode", ["single", "queued", "restart", "parallel"])
@moved
async def test_each_context_key_has_its_own_count_null_and_empty_too(mode: str) -> None:
    one = automation(mode=mode, max_runs=1, concurrency_scope="context_key")
    tx = rows(active(1, key="other", sequence=99))
    both = [match(one, event(1, key)) for key in KEYS]
    admissions, replaced = await admit(both, tx.port, Clock())
    assert [a.outcome for a in admissions] == ["start"] * 3
    assert replaced == []


@moved
async def test_without_that_scope_all_context_keys_count_together() -> None:
    one = automation(mode="parallel", max_runs=3)
    tx = rows(active(1, key=None), active(2, key="k"))
    assert [o for o, _ in await outcomes(matches(one, 3, 4), tx)] == ["start", "refuse"]


@moved
async def test_automations_do_not_count_for_one_another() -> None:
    one, other = automation("a"), automation("b")
    told = await outcomes([match(one), match(other)], rows(active(1, "a")))
    assert [o for o, _ in told] == ["refuse", "start"]


@moved
async def test_two_triggers_of_one_automation_start_two_runs_if_the_mode_allows() -> None:
    triggers = [{"event": "test.event", "id": "x"}, {"event": "test.event", "id": "y"}]
    for mode, second in (("parallel", "start"), ("single", "refuse")):
        one = automation(mode=mode, triggers=triggers)
        both = [TriggerMatch(event(), one, trigger) for trigger in one.program.triggers]
        assert [o for o, _ in await outcomes(both, rows())] == ["start", second]


@moved
async def test_what_was_disabled_or_deleted_meanwhile_gives_neither_run_nor_refusal() -> None:
    tx = rows(active(1, "disabled"))
    tx.enabled = {"a": True, "disabled": False}
    asked = [match(automation(name)) for name in ("disabled", "deleted", "a")]
    admissions, _ = await admit(asked, tx.port, Clock())
    assert [a.match.automation.id for a in admissions] == ["a"]


@moved
async def test_automations_are_held_in_one_order_before_anything_is_counted() -> None:
    tx = rows()
    asked = [match(automation(name, mode="restart")) for name in ("b", "a", "b")]
    await admit(asked, tx.port, Clock())
    assert tx.held == ["a", "b"]
    assert tx.calls == ["lock_automations", "count_active", "active_runs"]


@moved
async def test_runs_are_listed_only_for_automations_that_restart() -> None:
    tx = rows()
    await admit([match(automation("a", mode="queued"))], tx.port, Clock())
    assert "active_runs" not in tx.calls


@moved
async def test_nothing_is_asked_for_no_hits() -> None:
    tx = rows()
    assert await admit([], tx.port, Clock()) == ([], [])
    assert tx.calls == []


@pytest.mark.parametrize("scope", ["automation", "context_key"])
def test_the_gate_is_the_automation_or_its_context_key(scope: str) -> None:
    one = automation(concurrency_scope=scope)
    names = {queue_key_of(match(one, event(key=key))) for key in [*KEYS, "=", "/"]}
    assert len(names) == (1 if scope == "automation" else 5)


def occupied(tx: Rows, key: str | None, scope: str) -> list[Active]:
    """The runs that the mode counts for a key."""
    return [run for run in tx.active.values() if scope == "automation" or run.context_key == key]


class Model:
    """What is active, kept as `launch` and the end of runs would keep it."""

    def __init__(self, of: Automation) -> None:
        self.of, self.tx, self.next_id = of, Rows(), 0

    async def handle(self, sequences: Sequence[tuple[int, str | None]]) -> list[Admission]:
        """Take a batch of events through the gate."""
        batch = [match(self.of, event(sequence, key)) for sequence, key in sequences]
        admissions, replaced = await admit(batch, self.tx.port, Clock())
        for run_id in replaced:
            del self.tx.active[run_id]
        for admission in admissions:
            if admission.outcome in {"start", "queue"}:
                self.next_id += 1
                what = admission.match.event
                rank = (what.time, what.sequence)
                run = Active(uid(self.next_id), "a", what.context_key, rank)
                self.tx.active[run.id] = run
        return admissions


batches = st.lists(
    st.one_of(
        st.lists(st.tuples(st.integers(1, 40), st.sampled_from(KEYS)), min_size=1, max_size=6),
        st.integers(0, 10),  # a run that ends
    ),
    max_size=12,
)


@given(
    mode=st.sampled_from(["single", "parallel", "queued", "restart"]),
    scope=st.sampled_from(["automation", "context_key"]),
    max_runs=st.integers(1, 4),
    script=batches,
)
@moved
async def test_the_mode_holds_whatever_comes_and_ends_in_which_order(
    mode: str, scope: str, max_runs: int, script: list[Any]
) -> None:
    """I4, for batches that are decided one after the other, as the locks of the gates have it."""
    model = Model(automation(mode=mode, max_runs=max_runs, concurrency_scope=scope))
    limit = max_runs if mode in {"parallel", "queued"} else 1
    newest: dict[str | None, int] = {}
    for step in script:
        if isinstance(step, int):
            ids = [*model.tx.active]
            if ids:
                del model.tx.active[ids[step % len(ids)]]
            continue
        before = {key: len(occupied(model.tx, key, scope)) for key in KEYS}
        admissions = await model.handle(step)
        assert len(admissions) == len(step)  # each event has an answer
        for key in KEYS:
            runs = occupied(model.tx, key, scope)
            assert len(runs) <= limit
            asked = [s for s, k in step if scope == "automation" or k == key]
            assert not asked or runs  # the mode refuses no more than it must
            if mode in {"parallel", "queued"}:
                assert len(runs) == min(limit, before[key] + len(asked))
            if mode == "restart" and asked:
                place = None if scope == "automation" else key
                stood = [newest[place]] if before[key] and place in newest else []
                newest[place] = max([*asked, *stood])
                assert [run.rank[1] for run in runs] == [newest[place]]
