"""Hits: which triggers ask for an event, and why the others do not."""

import dataclasses
from functools import partial
from typing import Any, cast

import msgspec
import pytest

from lockstep.matching import Index, Judgements, judge, meets_conditions, warning
from lockstep.model.automations import Automation, Head, StoredDefinition
from lockstep.model.decisions import Candidate, Decision, digest_of_value
from lockstep.model.events import Event
from lockstep.model.matches import TriggerMatch
from lockstep.model.program import Program
from lockstep.render import Renderer
from lockstep_schemas.events import Actor
from unit.fakes import Definitions
from unit.moved import moved
from unit.values import FAILS, NOW, automation, event, match, program, triggered

DIVIDED = "division by zero"


def matched(of: Automation, **fields: Any) -> Candidate:
    """Judge an event with these fields, which passes."""
    judged = judge(match(of, event(**fields)), NOW)
    assert isinstance(judged, Candidate), judged
    return judged


def refused(of: Automation, **fields: Any) -> Decision:
    """Judge an event with these fields, which does not pass."""
    judged = judge(match(of, event(**fields)), NOW)
    assert isinstance(judged, Decision), judged
    return judged


def told(judged: Decision | None) -> tuple[str, str, bool]:
    """The gate, the detail, and whether ops hear of it."""
    assert judged is not None
    return judged.stage, judged.detail, judged.match is not None


async def indexed(**programs: Program) -> Index:
    """Automations in force, in order of their creation."""
    source = Definitions()
    for position, name in enumerate(programs):
        source.save(Head(id=name, name=name, enabled=True, version=1, position=position))

    def compile_definition(stored: StoredDefinition) -> Program:
        return programs[stored.definition]

    index = Index(source, compile_definition, source.refresh_types)
    await index.refresh()
    return index


class Unhurried:
    """A pace that lets nobody wait, and notes who was judged."""

    def __init__(self) -> None:
        self.judged: list[tuple[str, str]] = []

    async def took(self, automation_id: str, event_id: str, nanoseconds: int) -> None:
        """See `ports.pace.Pace`."""
        assert nanoseconds >= 0
        self.judged.append((automation_id, event_id))


async def judged_all(index: Index, *events: Event) -> tuple[list[Candidate], list[Decision]]:
    """Judge events as a batch."""
    judgements = Judgements(index, Unhurried())
    await judgements.prepare(events, NOW)
    assert not judgements.lack(events)
    return judgements.of(events)


@moved
async def test_matches_come_by_event_then_creation_then_definition() -> None:
    both = [{"event": "test.event", "id": "x"}, {"event": "test.event", "id": "y"}]
    index = await indexed(old=program(triggers=both), new=program())
    found, none = await judged_all(index, event(1), event(2))
    names = [(m.match.event.sequence, m.match.automation.id, m.match.trigger.id) for m in found]
    assert names == [
        (sequence, *rest)
        for sequence in (1, 2)
        for rest in (("old", "x"), ("old", "y"), ("new", "test_event"))
    ]
    assert none == []


@moved
async def test_what_does_not_pass_is_told_beside_what_does() -> None:
    index = await indexed(
        a=program(triggers=[{"event": "test.event", "filter": "false"}]),
        b=program(),
        c=program(triggers=[{"event": "other.event"}]),
    )
    found, none = await judged_all(index, event())
    assert [candidate.match.automation.id for candidate in found] == ["b"]
    assert [judged.automation_id for judged in none] == ["a"]


@moved
async def test_what_was_judged_is_not_judged_again_and_what_has_changed_since_is() -> None:
    source = Definitions()
    programs = {"a": program(triggers=[{"event": "test.event", "filter": "true"}])}
    save = partial(Head, id="a", name="a", enabled=True, position=0)
    source.save(save(version=1))
    index = Index(source, lambda stored: programs[str(stored.definition)], source.refresh_types)
    await index.refresh()
    pace = Unhurried()
    judgements = Judgements(index, pace)
    for _ in range(2):
        await judgements.prepare([event(1), event(2)], NOW)
        assert pace.judged == [("a", "test.event")] * 2
    source.save(Head(id="b", name="b", enabled=False, version=1, position=1))
    await index.refresh()  # another revision, but nothing of these events
    assert not judgements.lack([event(1), event(2)])
    programs["a"] = program(triggers=[{"event": "test.event", "filter": "false"}])
    source.save(save(version=2))
    await index.refresh()
    assert judgements.lack([event(1)])
    await judgements.prepare([event(1)], NOW)
    found, none = judgements.of([event(1)])
    assert (found, [one.stage for one in none], len(pace.judged)) == ([], ["filter"], 3)


@moved
async def test_where_nothing_is_asked_nothing_is_judged() -> None:
    pace = Unhurried()
    index = await indexed(a=program())
    judgements = Judgements(index, pace)
    await judgements.prepare([event()], NOW)
    assert ([one.match.automation.id for one in judgements.of([event()])[0]], pace.judged) == (
        ["a"], [],
    )  # fmt: skip


def test_a_filter_sees_the_event_the_automation_and_the_time() -> None:
    seen = {
        "trigger.id": "test_event",
        "trigger.event": "test.event",
        "trigger.eventId": "test.event",
        "trigger.payload.n": 5,
        "trigger.actor.name": "Ann",
        "trigger.time": "2026-05-30T12:00:01.000Z",
        "trigger.message_id": "m",
        "trigger.context_key": "k",
        "automation.id": "a",
        "automation.name": "name of a",
        "now": "2026-05-30T12:00:01.000Z",
    }
    text = " and ".join(f"{name} == {value!r}" for name, value in seen.items())
    matched(
        triggered(filter=text),
        key="k",
        payload={"n": 5},
        actor=Actor(type="user", name="Ann"),
        message_id="m",
    )


def test_a_filter_that_is_false_refuses_and_says_its_text() -> None:
    text = "trigger.payload.n > 3"
    assert told(refused(triggered(filter=text), payload={"n": 3})) == (
        "filter",
        f"false: {text}; `trigger.payload.n` is 3",
        False,
    )


@pytest.mark.parametrize("text", [None, "", " "])
def test_no_filter_lets_all_through(text: str | None) -> None:
    assert matched(triggered(filter=text)).cancels is False


def test_a_filter_that_cannot_be_judged_refuses_with_a_warning() -> None:
    assert told(refused(triggered(filter=FAILS))) == ("filter", DIVIDED, True)


def test_conditions_must_all_hold_and_the_first_that_does_not_is_told() -> None:
    one = automation(conditions=["true", {"not": "trigger.payload.off"}, "false"])
    assert told(refused(one, payload={"off": True})) == (
        "conditions",
        "conditions[1] is false; `trigger.payload.off` is true",
        False,
    )
    matched(automation(conditions=["true", {"or": ["false", "true"]}]))


def test_a_condition_that_cannot_be_judged_refuses_with_a_warning() -> None:
    one = automation(conditions=["true", FAILS])
    assert told(refused(one)) == ("conditions", f"conditions[1]: {DIVIDED}", True)


def test_what_nobody_keeps_is_not_explained() -> None:
    one = automation(conditions=["trigger.payload.n > 5"])
    for asked, detail in (
        (match(triggered(filter="false or 0")), "false: false or 0"),
        (match(one), "conditions[0] is false"),
    ):
        judged = judge(asked, NOW, is_explained=False)
        assert told(cast("Decision", judged))[1] == detail


def test_a_refusal_that_cannot_be_explained_is_a_refusal_all_the_same() -> None:
    def once(value: object) -> object:
        calls.append(value)
        if len(calls) > 1:
            raise RuntimeError("only once")
        return False

    calls: list[object] = []
    rule = triggered(filter="true")
    text = "trigger.payload.n | once"
    expression = Renderer({"once": once}).expression(text)
    changed = dataclasses.replace(rule.program.triggers[0], filter=expression)
    judged = judge(TriggerMatch(event(payload={"n": 1}), rule, changed), NOW)
    assert told(cast("Decision", judged)) == (
        "filter",
        f"false: {text}; its values cannot be told: filter 'once': RuntimeError: only once",
        False,
    )


def test_what_explains_takes_no_time_from_what_a_window_counts() -> None:
    window = {"count": 2, "minutes": 1, "partition_by": "trigger.payload.key"}
    slow = " or ".join(["(trigger.payload.many | map('string') | select('eq', 'x') | list)"] * 9)
    one = automation(triggers=[{"event": "test.event", "window": window}], conditions=[slow])
    payload = {"many": [*range(2000)], "key": "k"}
    found = matched(one, payload=payload)
    assert found.unmet is not None
    assert found.partition == digest_of_value('"k"')


def test_the_filter_is_judged_before_the_conditions() -> None:
    trigger = {"event": "test.event", "filter": "false"}
    assert refused(automation(triggers=[trigger], conditions=[FAILS])).stage == "filter"


@pytest.mark.parametrize(
    "gate", [{"window": {"count": 2, "minutes": 1}}, {"for": {"seconds": 1}}], ids=["window", "for"]
)
def test_conditions_refuse_nothing_before_a_window_or_a_hold(gate: Any) -> None:
    one = automation(triggers=[{"event": "test.event", **gate}], conditions=["false"])
    found = matched(one)
    refused = "conditions", "conditions[0] is false; `false` is false", False
    assert told(meets_conditions(found.match, NOW)) == refused
    if "window" in gate:  # they are judged with the filter, and refuse what the window lets through
        assert told(found.unmet) == refused
    else:
        assert found.unmet is None


def test_conditions_that_are_judged_later_give_a_warning_where_they_fail() -> None:
    detail = f"conditions[0]: {DIVIDED}"
    assert told(meets_conditions(match(automation(conditions=[FAILS])), NOW)) == (
        "conditions",
        detail,
        True,
    )
    assert meets_conditions(match(automation(conditions=["true"])), NOW) is None
    assert meets_conditions(match(automation()), NOW) is None


def test_a_time_condition_is_judged_at_the_time_of_the_event() -> None:
    one = automation(conditions=[{"time": {"after": "11:00", "before": "13:00"}}])
    matched(one)
    refused(one, time=NOW.replace(hour=10))


def test_a_filter_sees_the_time_of_the_event_as_now() -> None:
    one = triggered(filter="now == trigger.time")
    matched(one, time=NOW.replace(year=2001))


def held(**trigger: Any) -> Automation:
    """An automation whose trigger holds a minute."""
    return triggered(**{"for": {"minutes": 1}, **trigger})


def test_the_cancel_filter_is_judged_before_the_filter() -> None:
    one = held(filter=FAILS, cancel_filter="trigger.payload.off")
    assert matched(one, payload={"off": True}).cancels
    assert refused(one, payload={"off": False}).stage == "filter"


def test_a_cancel_filter_that_cannot_be_judged_refuses_with_a_warning() -> None:
    assert told(refused(held(cancel_filter=FAILS))) == ("cancel_filter", DIVIDED, True)


@pytest.mark.parametrize(
    ("hold", "seconds"),
    [
        ({"seconds": 1}, 1.0),
        ({"minutes": 2}, 120.0),
        ({"hours": 1}, 3600.0),
        ({"template": "trigger.payload.n * 2"}, 3.0),
        ({"template": "'90'"}, 90.0),
        ({"template": "2592000"}, 2592000.0),
    ],
)
def test_a_hold_takes_its_time_from_the_definition_or_the_event(hold: Any, seconds: float) -> None:
    assert matched(held(**{"for": hold}), payload={"n": 1.5}).hold_seconds == seconds


@pytest.mark.parametrize("value", ["0.5", "2592001", "'soon'", "true", "none", "[3]", "'nan'"])
def test_a_hold_of_no_right_time_refuses_with_a_warning(value: str) -> None:
    gate, detail, is_error = told(refused(held(**{"for": {"template": value}})))
    assert (gate, is_error) == ("for", True)
    assert detail.startswith("for.template: expected 1 to 2592000 seconds, got ")


def test_a_hold_whose_time_cannot_be_judged_refuses_with_a_warning() -> None:
    judged = refused(held(**{"for": {"template": FAILS}}))
    assert told(judged) == ("for", f"for.template: {DIVIDED}", True)


def windowed(**window: Any) -> Automation:
    """An automation whose trigger counts."""
    return triggered(window={"count": 2, "minutes": 1, **window})


def test_a_window_counts_by_context_key_where_null_is_one_of_its_own() -> None:
    found = [matched(windowed(), key=key).partition for key in (None, "", "k", "k")]
    assert len(set(found)) == 3
    assert found[2] == found[3]


def test_a_window_counts_by_a_value_of_the_event_whatever_its_context_key() -> None:
    one = windowed(partition_by="trigger.payload.room")
    rooms: list[Any] = ["hall", "1", 1, ["hall"], {"a": 1, "b": 2}]
    found = {matched(one, payload={"room": room}).partition for room in rooms}
    assert len(found) == len(rooms)
    same = [
        matched(one, key=key, payload={"room": room}).partition
        for key, room in (("x", {"a": 1, "b": 2}), ("y", {"b": 2, "a": 1}))
    ]
    assert same[0] == same[1]


@pytest.mark.parametrize("value", ["trigger.payload.room", "''", "[]", FAILS])
def test_a_value_that_is_empty_or_fails_gives_the_context_key_never_all_together(
    value: str,
) -> None:
    one = windowed(partition_by=value)
    found = {matched(one, key=key).partition for key in ("x", "y")}
    assert found == {matched(windowed(), key=key).partition for key in ("x", "y")}


def test_a_value_is_not_taken_for_a_context_key() -> None:
    value = matched(windowed(partition_by="trigger.payload.room"), payload={"room": "k"})
    keys = {matched(windowed(), key=key).partition for key in ("k", '"k"', 'value:"k"', ':"k"')}
    assert value.partition not in keys


def test_a_warning_says_which_trigger_could_not_be_judged_and_why() -> None:
    asked = match(triggered(filter=FAILS), event(7, "k"))
    judged = judge(asked, NOW)
    assert isinstance(judged, Decision)
    row = warning(judged, asked, "lockstep", NOW)
    body = msgspec.json.decode(row.body)
    assert (row.topic, row.seq, row.message_id) == (
        "EVENTS:7/a/test_event",
        1,
        "EVENTS:7/a/test_event",  # one per event and trigger, however often it is judged
    )
    assert row.subject == "lockstep.run.a.warning"
    assert body["type"] == "lockstep.run.warning"
    assert body["data"]["reason"] == f"filter of trigger 'test_event': {DIVIDED}"
    assert (body["data"]["run_id"], body["data"]["context_key"]) == ("", "k")


def test_a_judgement_names_the_trigger_that_asked() -> None:
    one = automation(triggers=[{"event": "test.event", "id": "t", "filter": "false"}])
    judged = judge(TriggerMatch(event(), one, one.program.triggers[0]), NOW)
    assert isinstance(judged, Decision)
    assert (judged.automation_id, judged.trigger_id) == ("a", "t")


@pytest.mark.parametrize("gate", [{}, {"window": {"count": 1, "minutes": 1}}], ids=repr)
def test_all_conditions_of_a_trigger_together_have_the_time_of_a_filter(gate: Any) -> None:
    """Each of them is short, as they stand there and within one another."""
    trigger = {"event": "test.event", **gate}
    short = "trigger.payload.n | map('string') | join | length > 0"
    for conditions in ([short] * 100, [{"and": [short] * 100}]):
        one = match(automation(triggers=[trigger], conditions=conditions), event(payload=NUMBERS))
        judged = judge(one, NOW)
        refused = judged.unmet if isinstance(judged, Candidate) else judged
        assert told(refused)[0] == "conditions"
        assert "more than 10 ms of processor time" in told(refused)[1]


NUMBERS = {"n": list(range(5000))}
