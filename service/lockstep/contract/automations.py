"""Examples of what authors write: definitions and a file of cases."""

from typing import Final

from lockstep_schemas.base import JsonObject

DEFINITION: Final[JsonObject] = {
    "name": "Triage orders",
    "triggers": [{"event": "orders.created", "filter": "trigger.payload.amount > 0"}],
    "mode": "parallel",
    "max_runs": 100,
    "actions": [
        {
            "choose": [
                {
                    "when": "trigger.payload.amount >= 1000",
                    "sequence": [
                        {
                            "id": "mail",
                            "action": "mailer.send",
                            "config": {"to": "{{ trigger.payload.to }}"},
                            "retry": {"attempts": 5, "delay_seconds": 10},
                        }
                    ],
                }
            ],
            "else": [{"stop": {"reason": "a small order"}}],
        },
        {"wait_for_trigger": {"event": "orders.paid", "timeout_seconds": 86400}},
    ],
}
GUARD: Final[JsonObject] = {
    "name": "Door guard",
    "triggers": [
        {
            "event": "guard.door",
            "for": {"minutes": 5},
            "filter": "trigger.payload.open",
            "cancel_filter": "not trigger.payload.open",
        }
    ],
    "conditions": [{"time": {"after": "22:00", "before": "06:00", "timezone": "Europe/Berlin"}}],
    "actions": [
        {"variables": {"calls": 0}},
        {
            "repeat": {
                "while": "variables.calls < 3",
                "sequence": [
                    {"action": "pager.call", "config": {"who": "guard"}},
                    {"variables": {"calls": "{{ variables.calls + 1 }}"}},
                    {"delay": {"seconds": 60}},
                ],
            }
        },
    ],
}
CASES: Final[JsonObject] = {
    "group": "doors",
    "cases": [
        {
            "id": "an-open-door-is-told",
            "automation": {
                "name": "Door watch",
                "triggers": [{"event": "sensor.door"}],
                "actions": [{"id": "call", "action": "pager.call", "config": {"who": "guard"}}],
            },
            "stubs": {"pager.call": {"artifact": {"ticket": "T-1"}}},
            "events": [{"event": "sensor.door", "payload": {"open": True}}, {"wait_s": 60}],
            "expect": {"status": "success", "calls": [{"action": "pager.call"}]},
        }
    ],
}
