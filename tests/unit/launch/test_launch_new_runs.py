"""Launch: a row for each admission, as many of them this worker's as it has places."""

from lockstep.launch import create, state
from lockstep.model.admissions import REPLACED, Admission, Outcome
from lockstep.model.child_runs import Parent
from lockstep.model.matches import Revival
from lockstep.model.new_runs import NewRun
from unit.fakes import Rows
from unit.moved import moved
from unit.values import NOW, automation, event, match, uid

REVIVAL = Revival(of=uid(9), document=b"frames", reopened=[1], dropped=[2])


def admitted(outcome: Outcome = "start", sequence: int = 1, **fields: str) -> Admission:
    """What the gate decided for the n-th event."""
    return Admission(match(automation(), event(sequence)), outcome, **fields)


async def born(*admissions: Admission, places: int = 9) -> list[NewRun]:
    """Launch these."""
    return await create(admissions, places, NOW, Rows().port)


@moved
async def test_as_many_runs_as_there_are_places_run_here_and_the_rest_is_ready() -> None:
    new_runs = await born(*(admitted(sequence=n) for n in range(4)), places=2)
    assert [new_run.status for new_run in new_runs] == ["running", "running", "pending", "pending"]
    assert [new_run.match.event.sequence for new_run in new_runs] == [0, 1, 2, 3]
    assert not any(new_run.queued for new_run in new_runs)


@moved
async def test_what_is_queued_or_refused_takes_no_place() -> None:
    asked = [admitted("queue"), admitted("refuse"), admitted("supersede"), admitted("start")]
    new_runs = await born(*asked, places=1)
    assert [new_run.status for new_run in new_runs] == [
        "pending",
        "skipped",
        "cancelled",
        "running",
    ]
    assert [new_run.queued for new_run in new_runs] == [True, False, False, False]


@moved
async def test_a_refusal_is_a_row_that_says_why() -> None:
    asked = [
        admitted("refuse", reason="mode single: a run is active"),
        admitted("replace", reason=REPLACED),
        admitted("supersede", reason="superseded"),
    ]
    new_runs = await born(*asked)
    assert [(new_run.status, new_run.reason) for new_run in new_runs] == [
        ("skipped", "mode single: a run is active"),
        ("cancelled", REPLACED),
        ("cancelled", "superseded"),
    ]


@moved
async def test_a_run_keeps_the_queue_that_it_stands_in_unless_it_is_over() -> None:
    asked = [admitted(outcome, queue_key="a/=k") for outcome in ("start", "queue", "refuse")]
    assert [new_run.queue_key for new_run in await born(*asked)] == ["a/=k", "a/=k", None]


@moved
async def test_all_is_inserted_in_one_statement_with_ids_of_their_own() -> None:
    tx = Rows()
    new_runs = await create([admitted(), admitted("queue"), admitted("refuse")], 1, NOW, tx.port)
    assert tx.calls == ["create_runs"]
    assert tx.new_runs == new_runs
    assert len({new_run.id for new_run in new_runs}) == 3
    assert {new_run.id.version for new_run in new_runs} == {7}
    assert {new_run.at for new_run in new_runs} == {NOW}


@moved
async def test_nothing_is_inserted_for_no_admissions() -> None:
    tx = Rows()
    assert await create([], 5, NOW, tx.port) == []
    assert tx.calls == []


@moved
async def test_a_run_that_goes_on_from_another_is_given_its_steps_unless_it_is_refused() -> None:
    tx = Rows()
    revived = match(automation(), event(), REVIVAL)
    outcomes: list[Outcome] = ["start", "start", "queue", "refuse"]
    new_runs = await create([Admission(revived, one) for one in outcomes], 1, NOW, tx.port)
    assert tx.copied == {new_run.id: REVIVAL for new_run in new_runs[:3]}
    assert tx.calls[0] == "create_runs"  # the rows that the steps belong to come first


@moved
async def test_a_walk_begins_with_the_event_and_the_version_of_its_run() -> None:
    parent = Parent(uid(5), "actions[0]", cancels=True)
    asked = event(3, "k", payload={"n": 1}, message_id="m", hop=2, parent=parent, traceparent="t")
    (new_run,) = await born(Admission(match(automation(), asked), queue_key="a"))
    run = state(new_run)
    assert (run.id, run.epoch, run.queue_key, run.started_at) == (new_run.id, 1, "a", NOW)
    assert (run.automation_id, run.automation_name, run.version) == ("a", "name of a", 1)
    assert (run.trigger_id, run.trigger_event_id) == ("test_event", "test.event")
    assert (run.trigger_payload, run.trigger_time) == ({"n": 1}, asked.time)
    assert (run.context_key, run.message_id, run.hop, run.actor) == ("k", "m", 2, asked.actor)
    assert (run.parent_run_id, run.traceparent) == (uid(5), "t")
    assert (run.document, run.wakes, run.fired, run.event_seq) == (None, 0, {}, 0)


@moved
async def test_a_walk_of_a_run_that_goes_on_begins_with_the_frames_of_the_other() -> None:
    (new_run,) = await born(Admission(match(automation(), event(), REVIVAL)))
    assert state(new_run).document == b"frames"
    assert state(new_run).parent_run_id is None
