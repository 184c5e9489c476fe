"""`lockstep validate --explain`: an automation in plain words."""

from typing import Any

import pytest

from lockstep.definition.explain import explained
from lockstep.definition.spans import in_words
from lockstep.definition.stored import parse
from unit.definition.judging import CATALOG, STOP, Json, acting, made, trigger

LOG = {"action": "test.log", "config": {"message": "m"}}


def lines(raw: Json) -> list[str]:
    return explained(parse(raw), CATALOG)


def does(*actions: Any) -> list[str]:
    """Give what it does and how long it takes, without what comes before."""
    told = lines(acting(*actions))
    return told[told.index("Does:") + 1 :]


def test_a_whole_automation_is_told_as_a_person_would() -> None:
    raw = {
        "name": "Escalation",
        "triggers": [
            trigger(filter="trigger.payload.level > 3"),
            {"event": "automation.cron", "config": {"cronPattern": "0 3 * * *"}},
        ],
        "conditions": ["trigger.payload.open", {"not": {"time": {"weekday": [0, 6]}}}],
        "mode": "queued",
        "max_runs": 5,
        "actions": [
            {"action": "test.log", "config": {}, "retry": {"attempts": 3}, "description": "Tell"},
            {"wait_for_trigger": {"event": "test.answer", "timeout_seconds": 600}},
            {
                "choose": [
                    {"when": "wait.completed", "sequence": [STOP]},
                    {"when": {"numeric_state": {"value": "now", "above": 1}}, "sequence": [STOP]},
                ],
                "else": [{"repeat": {"count": 2, "sequence": [{"delay": {"seconds": 90}}]}}],
            },
        ],
    }
    assert lines(raw) == [
        "Escalation",
        "Starts:",
        "   at each event test.event, if trigger.payload.level > 3",
        "   by the clock, `0 3 * * *` in UTC",
        "Only if (trigger.payload.open) and (not (it is Sunday or Saturday in UTC)).",
        "Runs: one at a time, with those that wait their turn up to 5.",
        "Does:",
        "   1. Tell: call test.log, up to 3 times",
        "   2. wait for the event test.answer for up to 10 minutes, then fail",
        "   3. the first of these that holds:",
        "      - if wait.completed:",
        "        1. end the run, succeeded",
        "      - if now is above 1:",
        "        1. end the run, succeeded",
        "      - else:",
        "        1. 2 times:",
        "           1. pause for 1 minute 30 seconds",
        "May take: up to 28 minutes 3 seconds.",
    ]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (trigger(), "at each event test.event"),
        (
            {"event": "automation.interval", "config": {"intervalSeconds": 90}},
            "every 1 minute 30 seconds",
        ),
        (
            {
                "event": "automation.template",
                "config": {"value_template": "now > 'x'", "intervalSeconds": 60},
            },
            "when now > 'x' becomes true, looked at every 1 minute",
        ),
        (
            trigger(**{"for": {"minutes": 5}, "cancel_filter": "trigger.payload.ok"}),
            (
                "at each event test.event, 5 minutes later unless one comes for which "
                "trigger.payload.ok"
            ),
        ),
        (
            trigger(window={"count": 3, "minutes": 90, "partition_by": "trigger.payload.room"}),
            (
                "at each event test.event, when there were 3 of them with the same "
                "trigger.payload.room within 1 hour 30 minutes, once"
            ),
        ),
        (
            trigger(max_age={"hours": 1, "minutes": 30}),
            "at each event test.event, unless it is older than 1 hour 30 minutes by then",
        ),
        (
            trigger(max_age={"template": "trigger.payload.fresh"}),
            (
                "at each event test.event, unless it is older than (trigger.payload.fresh) seconds "
                "by then"
            ),
        ),
    ],
)
def test_a_trigger_is_told_with_its_gates(one: Json, words: str) -> None:
    assert lines(made(triggers=[one]))[2].strip() == words


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({"variables": {"a": 1, "b": 2}}, "set a, b"),
        ({"condition": {"or": ["now", {"time": {"after": "22:00"}}]}},
         "go on only if (now) or (it is from 22:00 on in UTC)"),
        ({"stop": {"reason": "no\n  way", "error": True}}, "end the run, failed: no way"),
        ({"delay": {"template": "variables.n"}}, "pause for (variables.n) seconds"),
        ({"wait_for_trigger": {"event": "a", "filter": "now"}},
         "wait for the event a, if now, however long"),
        ({"wait_for_trigger": {"event": "a", "context_key": "{{ now }}", "lookback": "run"}},
         ("wait for the event a with the context key {{ now }} (or one since the run was "
          "started), however long")),
        ({"wait_for_trigger": {"event": "a", "lookback": {"hours": 2}, "timeout_seconds": 5}},
         ("wait for the event a (or one of up to 2 hours before the run) for up to 5 seconds, "
          "then fail")),
        ({**LOG, "continue_on_error": True}, "call test.log, goes on if that fails"),
        ({**LOG, "enabled": False}, "(disabled) call test.log"),
    ],
)  # fmt: skip
def test_an_action_is_told_in_a_line(action: Json, words: str) -> None:
    assert does(action)[0] == f"   1. {words}"


@pytest.mark.parametrize(
    ("loop", "words"),
    [
        ({"for_each": "trigger.payload.items"}, "for each item of trigger.payload.items:"),
        ({"while": "repeat.index < 3"}, "as long as repeat.index < 3, 1000 times at most:"),
        ({"until": "now", "max_iterations": 7}, "until now, 7 times at most:"),
    ],
)
def test_a_loop_is_told_with_what_is_in_it(loop: Json, words: str) -> None:
    told = does({"repeat": {**loop, "sequence": [{"parallel": [LOG, {"sequence": [STOP]}]}]}})
    assert told[:5] == [
        f"   1. {words}",
        "      1. at the same time:",
        "         1. call test.log",
        "         2. one after the other:",
        "            1. end the run, succeeded",
    ]


@pytest.mark.parametrize(
    ("actions", "length"),
    [
        ([], "no time"),
        ([STOP], "no time"),
        ([{"delay": {"seconds": 30}}, {"delay": {"seconds": 45}}], "up to 1 minute 15 seconds"),
        ([{"delay": {"template": "variables.n"}}], "up to 30 days"),
        ([{**LOG, "timeout_seconds": 10}], "up to 10 seconds"),
        ([LOG], "up to 5 minutes"),
        # 3 attempts of 10 s, pauses of 20 and 25 s at most
        (
            [
                {
                    **LOG,
                    "timeout_seconds": 10,
                    "retry": {"attempts": 3, "delay_seconds": 20, "max_delay_seconds": 25},
                }
            ],
            "up to 1 minute 15 seconds",
        ),
        (
            [{"parallel": [{"delay": {"seconds": 9}}, {"delay": {"seconds": 7}}]}],
            "up to 9 seconds",
        ),
        (
            [
                {
                    "choose": [{"when": "now", "sequence": [{"delay": {"seconds": 9}}]}],
                    "else": [{"delay": {"seconds": 11}}],
                }
            ],
            "up to 11 seconds",
        ),
        ([{"repeat": {"count": 5, "sequence": [{"delay": {"seconds": 2}}]}}], "up to 10 seconds"),
        ([{"delay": {"seconds": 9}, "enabled": False}], "no time"),
        (
            [{"sequence": [{"wait_for_trigger": {"event": "a"}}]}],
            "no limit can be told: actions[0].sequence[0] waits for a without a limit",
        ),
        (
            [{"repeat": {"for_each": "now", "sequence": [LOG]}}],
            "no limit can be told: actions[0] is done again for each item",
        ),
        (
            [
                {
                    "action": "automation.start",
                    "id": "a",
                    "config": {"automation": "b", "wait": True},
                }
            ],
            "no limit can be told: actions[0] waits for the end of another automation",
        ),
    ],
)
def test_how_long_it_may_take_is_added_up(actions: list[Json], length: str) -> None:
    assert lines(acting(*actions))[-1] == f"May take: {length}."


def test_the_limit_of_a_run_is_what_it_may_take_where_that_is_less() -> None:
    raw = {**acting({"wait_for_trigger": {"event": "a"}}), "max_duration_seconds": 7200}
    assert lines(raw)[-1] == (
        "May take: up to 2 hours, then it has failed (`max_duration_seconds`)."
    )
    raw = {**acting({"delay": {"seconds": 5}}), "max_duration_seconds": 7200}
    assert lines(raw)[-1] == "May take: up to 5 seconds."


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("single", "one at a time, what comes meanwhile starts none"),
        ("parallel", "up to 10 at the same time"),
        ("restart", "one at a time, a new one cancels the one before"),
    ],
)
def test_the_mode_is_told(mode: str, words: str) -> None:
    raw = made(mode=mode, concurrency_scope="context_key")
    assert f"Runs: {words}, counted by context key." in lines(raw)
    assert "Does: nothing, a run succeeds at once." in lines(raw)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.5, "0.5 seconds"),
        (1, "1 second"),
        (3661, "1 hour 1 minute"),
        (90_000, "1 day 1 hour"),
        (86_401, "1 day 1 second"),
    ],
)
def test_a_time_is_told_in_units_of_people(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
