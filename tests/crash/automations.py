"""Three automations with nested choose, parallel and repeat, and what their runs must record."""

from collections import Counter
from typing import Any

Json = dict[str, Any]


def record(name: str, value: str) -> Json:
    """An action that records a value."""
    return {"id": name, "action": "test.record", "config": {"value": value}}


def definition(name: str, actions: list[Json]) -> Json:
    """A definition on the event of its name."""
    return {
        "name": name,
        "triggers": [{"event": f"crash.{name}"}],
        "mode": "parallel",
        "max_runs": 1000,
        "actions": actions,
    }


BRANCHES = definition(
    "branches",
    [
        {
            "choose": [
                {
                    "when": "trigger.payload.n % 2 == 0",
                    "sequence": [
                        {
                            "parallel": [
                                record("a", "{{ trigger.payload.n }}a"),
                                {
                                    "sequence": [
                                        record("b", "{{ trigger.payload.n }}b"),
                                        record("c", "{{ trigger.payload.n }}c"),
                                    ]
                                },
                            ]
                        }
                    ],
                }
            ],
            "else": [{"stop": {"reason": "odd"}}],
        },
        record("d", "{{ trigger.payload.n }}d"),
    ],
)
LOOPS = definition(
    "loops",
    [
        {"variables": {"sum": 0}},
        {
            "repeat": {
                "for_each": "trigger.payload.list",
                "sequence": [
                    record("e", "{{ trigger.payload.n }}e{{ repeat.item }}"),
                    {"variables": {"sum": "{{ variables.sum + repeat.item }}"}},
                ],
            }
        },
        record("f", "{{ trigger.payload.n }}f{{ variables.sum }}"),
    ],
)
MIXED = definition(
    "mixed",
    [
        {
            "repeat": {
                "count": 2,
                "sequence": [
                    {
                        "parallel": [
                            {"choose": [{"when": "repeat.index == 1", "sequence": [
                                record("g", "{{ trigger.payload.n }}g"),
                            ]}]},
                            record("h", "{{ trigger.payload.n }}h{{ repeat.index }}"),
                        ]
                    }
                ],
            }
        },
        {"action": "test.fail", "config": {"reason": "on purpose"}},
    ],
)  # fmt: skip
ALL = {"branches": BRANCHES, "loops": LOOPS, "mixed": MIXED}


def payload(n: int) -> Json:
    """The payload of the nth event."""
    return {"n": n, "list": [1, 2, 3]}


def expected(name: str, n: int) -> Counter[str]:
    """What a run of an automation records for the nth event."""
    if name == "branches":
        return Counter([f"{n}a", f"{n}b", f"{n}c", f"{n}d"] if n % 2 == 0 else [])
    if name == "loops":
        return Counter([f"{n}e1", f"{n}e2", f"{n}e3", f"{n}f6"])
    return Counter([f"{n}g", f"{n}h0", f"{n}h1"])


STATUS = {"branches": "succeeded", "loops": "succeeded", "mixed": "failed"}
