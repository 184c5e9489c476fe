"""Windows and holds: all that is asked for is locked at once, and conditions come last."""

from lockstep.matching import judge
from lockstep.model.decisions import Candidate
from lockstep.pipeline.windows_and_holds import lock_names, pass_windows_and_holds
from unit.fakes import Rows
from unit.moved import moved
from unit.values import NOW, automation, candidate, event, match, triggered

WINDOW = {"event": "test.event", "window": {"count": 1, "minutes": 1}}
PLAIN = triggered()
HELD = triggered(**{"for": {"minutes": 1}})
COUNTED = automation("b", triggers=[WINDOW])


@moved
async def test_for_nothing_nothing_is_locked() -> None:
    tx = Rows()
    decided = await pass_windows_and_holds([], NOW, tx.port)
    assert ([*decided.matches], tx.calls) == ([], [])


@moved
async def test_gates_counters_and_holds_are_locked_together_before_any_is_read() -> None:
    tx = Rows()
    asked = [candidate(COUNTED, event(2)), candidate(HELD, event(1), hold_seconds=60)]
    await pass_windows_and_holds(asked, NOW, tx.port)
    assert tx.calls[0] == "lock_keys"
    assert tx.calls.count("lock_keys") == 1
    assert tx.locked == sorted(lock_names(asked))
    assert {name.partition("/")[0] for name in tx.locked} == {"a", "b", "h", "w"}


def test_what_neither_counts_nor_holds_locks_its_gate_alone() -> None:
    assert lock_names([candidate(PLAIN, event())]) == {"a"}


@moved
async def test_what_passes_goes_on_and_what_holds_is_armed() -> None:
    tx = Rows()
    asked = [candidate(PLAIN, event(1)), candidate(HELD, event(2), hold_seconds=60)]
    decided = await pass_windows_and_holds(asked, NOW, tx.port)
    assert [one.event.sequence for one in decided.matches] == [1]
    assert [one.event.sequence for one in decided.armed] == [2]
    assert [one.stage for one in decided.judged] == ["for"]


@moved
async def test_what_cancels_a_hold_disarms_it() -> None:
    tx = Rows()
    asked = candidate(HELD, event(1), hold_seconds=60)
    armed = (await pass_windows_and_holds([asked], NOW, tx.port)).armed
    decided = await pass_windows_and_holds([candidate(HELD, event(2), cancels=True)], NOW, tx.port)
    assert decided.disarmed == [armed[0].id]


@moved
async def test_conditions_refuse_behind_a_window_and_nothing_is_judged_here() -> None:
    two = {**WINDOW, "window": {"count": 2, "minutes": 1}}
    for trigger, stage in ((two, "window"), (WINDOW, "conditions")):
        counted = automation("b", triggers=[trigger], conditions=["false"])
        judged = judge(match(counted, event()), NOW)
        assert isinstance(judged, Candidate)
        decided = await pass_windows_and_holds([judged], NOW, Rows().port)
        assert (decided.matches, [one.stage for one in decided.judged]) == ([], [stage])
    plain = automation("a", conditions=["false"])
    decided = await pass_windows_and_holds([candidate(plain, event())], NOW, Rows().port)
    assert [one.automation.id for one in decided.matches] == ["a"]


@moved
async def test_a_window_that_is_not_full_says_so() -> None:
    two = automation("b", triggers=[{**WINDOW, "window": {"count": 2, "minutes": 1}}])
    decided = await pass_windows_and_holds([candidate(two, event())], NOW, Rows().port)
    assert [(one.stage, one.detail) for one in decided.judged] == [
        ("window", "1 of 2 within 1 min")
    ]
