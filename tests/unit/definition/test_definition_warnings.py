"""What is allowed and probably not meant is told as a warning, which refuses nothing."""

from typing import Any

import pytest

from unit.definition.judging import OPEN, STOP, Json, acting, judged, made, place, trigger

LOG = {"action": "test.log", "config": {"message": "m"}}


def warned(raw: Json, catalog: Any = OPEN) -> list[tuple[str, str, str | None]]:
    checked = judged(raw, catalog)
    assert checked.errors == []
    assert checked.definition is not None
    return [(place(issue), issue.message, issue.hint) for issue in checked.warnings]


def on(*events: str, use: str) -> Json:
    return made(triggers=[{"event": event} for event in events], conditions=[use])


def test_a_payload_field_that_the_schema_has_not_is_told_with_what_was_meant() -> None:
    assert warned(on("ticket.opened", use="trigger.payload.sevrity > 3")) == [
        ("conditions.0", "the payload has no field `sevrity`", "did you mean `severity`?")
    ]
    assert warned(on("ticket.opened", use="trigger.payload['qqq'] == 1"))[0][2] is None


@pytest.mark.parametrize(
    "raw",
    [
        on("ticket.opened", use="trigger.payload.severity > trigger.payload.id"),
        on("ticket.opened", "ticket.closed", use="trigger.payload.reason"),
        on("ticket.opened", "test.event", use="trigger.payload.any"),
        on("ticket.opened", "un.known", use="trigger.payload.any"),
        on("ticket.odd", use="trigger.payload.any"),
        on("ticket.either", use="trigger.payload.any"),
        on("ticket.opened", use="trigger.payload and trigger.actor.name"),
    ],
)
def test_a_field_that_may_be_there_is_no_warning(raw: Json) -> None:
    assert warned(raw) == []


@pytest.mark.parametrize(
    ("use", "message", "hint"),
    [
        ("trigger.payload.user.nme", "`user.nme`", "did you mean `name`?"),
        ("trigger.payload.user.name.first", None, None),
        ("trigger.payload.user.home.cty", "`user.home.cty`", "did you mean `city`?"),
        ("trigger.payload.free.any", None, None),
        ("trigger.payload.usr.name", "`usr`", "did you mean `user`?"),
        ("now or trigger.payload", None, None),
    ],
)
def test_a_field_inside_a_field_is_judged_too(
    use: str, message: str | None, hint: str | None
) -> None:
    told = warned(on("ticket.nested", use=use))
    expected = [("conditions.0", f"the payload has no field {message}", hint)]
    assert told == (expected if message else [])


def test_the_trigger_of_the_run_is_judged_in_the_filter_of_a_wait() -> None:
    waits = [
        {"event": "ticket.closed", "filter": "run_scope.trigger.payload.id"},
        {"event": "ticket.closed", "filter": "run_scope.trigger.payload.reason"},
        {"event": "ticket.closed", "filter": "trigger.payload.reason"},
    ]
    raw = made(
        triggers=[{"event": "ticket.opened"}],
        actions=[{"wait_for_trigger": wait} for wait in waits],
    )
    assert [path for path, _, _ in warned(raw)] == ["actions.1.wait_for_trigger.filter"]


def test_filters_are_judged_by_their_own_event() -> None:
    use = "trigger.payload.reason"
    raw = made(
        triggers=[
            {"event": "ticket.opened", "filter": use},
            {"event": "ticket.closed", "filter": use},
        ],
        actions=[{"wait_for_trigger": {"event": "ticket.opened", "filter": use}}],
    )
    assert [path for path, _, _ in warned(raw)] == [
        "triggers.0.filter",
        "actions.0.wait_for_trigger.filter",
    ]


@pytest.mark.parametrize(
    ("actions", "path"),
    [
        ([STOP, LOG, LOG], "actions.1"),
        ([{**STOP, "continue_on_error": True}, LOG], "actions.1"),
        ([{"condition": " false "}, LOG], "actions.1"),
        ([{"sequence": [STOP]}, LOG], "actions.1"),
        ([{"sequence": [LOG, {"sequence": [STOP]}]}, LOG], "actions.1"),
        ([{"parallel": [LOG, STOP]}, LOG], "actions.1"),
        ([{"parallel": [{"sequence": [STOP]}, LOG]}, LOG], "actions.1"),
        ([{"repeat": {"count": 2, "sequence": [STOP]}}, LOG], "actions.1"),
        ([{"repeat": {"until": "now", "sequence": [LOG, STOP]}}, LOG], "actions.1"),
        ([{"choose": [{"when": "now", "sequence": [STOP]}], "else": [STOP]}, LOG], "actions.1"),
        ([{"choose": [{"when": "true", "sequence": [STOP]}]}, LOG], "actions.1"),
        ([{"condition": {"not": {"or": ["true", "now"]}}}, LOG], "actions.1"),
        ([{"sequence": [{"condition": "false"}]}, LOG], "actions.1"),
        ([{"choose": [{"when": "false", "sequence": [LOG]}]}], "actions.0.choose.0.sequence.0"),
        (
            [{"choose": [{"when": w, "sequence": [LOG]} for w in ("now", "true", "now")]}],
            "actions.0.choose.2.sequence.0",
        ),
        (
            [{"choose": [{"when": "true", "sequence": [LOG]}], "else": [LOG]}],
            "actions.0.else.0",
        ),
        ([{"repeat": {"while": "false", "sequence": [LOG]}}], "actions.0.repeat.sequence.0"),
        ([{"sequence": [STOP, LOG]}], "actions.0.sequence.1"),
        ([{"parallel": [{"sequence": [STOP, LOG]}, LOG]}], "actions.0.parallel.0.sequence.1"),
        (
            [{"choose": [{"when": "now", "sequence": [LOG]}], "else": [STOP, LOG]}],
            "actions.0.else.1",
        ),
        ([{"repeat": {"count": 1, "sequence": [STOP, LOG]}}], "actions.0.repeat.sequence.1"),
    ],
)
def test_what_is_never_reached_is_told_once(actions: list[Json], path: str) -> None:
    told = [(where, text.split(":")[0]) for where, text, _ in warned(acting(*actions))]
    assert told == [(path, "never reached")]


def test_each_list_has_its_own_first_action_that_is_never_reached() -> None:
    raw = acting({"sequence": [STOP, LOG, LOG]}, LOG, LOG)
    assert [where for where, _, _ in warned(raw)] == ["actions.0.sequence.1", "actions.1"]


@pytest.mark.parametrize(
    "actions",
    [
        [LOG, STOP],
        [{**STOP, "enabled": False}, LOG],
        [{"condition": "false", "continue_on_error": True}, LOG],
        [{"condition": "trigger.payload.a"}, LOG],
        [{"parallel": [STOP, LOG]}],
        [{"parallel": [{"condition": "false"}, LOG]}, LOG],
        [{"sequence": [LOG, STOP], "continue_on_error": True}, LOG],
        [{"sequence": [STOP], "enabled": False}, LOG],
        [{"sequence": [STOP, LOG], "enabled": False}],
        [{"repeat": {"for_each": "now", "sequence": [STOP]}}, LOG],
        [{"repeat": {"while": "now", "sequence": [STOP]}}, LOG],
        [{"choose": [{"when": "now", "sequence": [STOP]}]}, LOG],
        [{"choose": [{"when": "now | length", "sequence": [LOG]}], "else": [LOG]}],
        [{"choose": [{"when": "now", "sequence": [STOP]}], "else": [LOG]}, LOG],
    ],
)
def test_what_may_be_reached_is_no_warning(actions: list[Json]) -> None:
    assert warned(acting(*actions)) == []


def publish(subject: str, **fields: Any) -> Json:
    config = {"subject": subject, "payload": {}}
    return {"action": "nats.publish", "config": config, **fields}


@pytest.mark.parametrize(
    "subject", ["lockstep.trigger.", "lockstep.lane.slow.trigger.", "p.trigger."]
)
def test_an_automation_that_starts_itself_is_told(subject: str) -> None:
    raw = made(
        triggers=[trigger(), {"event": "test.other"}],
        actions=[{"sequence": [publish(f"{subject}test.other")]}],
    )
    ((path, message, hint),) = warned(raw)
    assert path == "actions.0.sequence.0.config.subject"
    assert message == "it publishes 'test.other', which starts it again"
    assert hint


@pytest.mark.parametrize(
    "action",
    [
        publish("lockstep.trigger.test.event2"),
        publish("lockstep.trigger.{{ trigger.payload.e }}"),
        publish("elsewhere.test.event"),
        publish("lockstep.trigger.test.event", enabled=False),
        {"enabled": False, "sequence": [publish("lockstep.trigger.test.event")]},
    ],
)
def test_an_automation_that_starts_others_is_no_warning(action: Json) -> None:
    assert warned(acting(action)) == []


def test_a_chain_of_events_back_to_the_automation_is_told_at_each_link() -> None:
    raw = made(
        triggers=[{"event": "test.a"}, {"event": "test.b"}],
        actions=[
            {
                "choose": [
                    {
                        "when": "trigger.event == 'test.a'",
                        "sequence": [publish("lockstep.trigger.test.b")],
                    }
                ],
                "else": [publish("lockstep.trigger.test.a")],
            }
        ],
    )
    assert [path for path, _, _ in warned(raw)] == [
        "actions.0.choose.0.sequence.0.config.subject",
        "actions.0.else.0.config.subject",
    ]


def test_what_is_disabled_hides_nothing_that_stands_after_it() -> None:
    subject = "lockstep.trigger.test.event"
    paths = [
        path for path, _, _ in warned(acting(publish(subject, enabled=False), publish(subject)))
    ]
    assert paths == ["actions.1.config.subject"]
