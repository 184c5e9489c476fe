"""Automations that sleep in every way, what their runs must record, and how they must end."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

Json = dict[str, Any]

GO, RACE, NEVER = "sleep.go", "sleep.race", "sleep.never"
NAMES: Final = ("naps", "answers", "patience", "tries", "busy")
FAIL_TRIES, PARALLEL_TRIES = 3, 2
ROUNDS: Final = 2  # in which `answers` waits twice at the same time
ITEMS: Final = [1, 2, 3]
_ids = count(1)


def record(label: str) -> Json:
    """Record a label behind the number of the run."""
    config = {"value": "{{ trigger.payload.n }}:" + label}
    return {"id": f"r{next(_ids)}", "action": "test.record", "config": config}


def fail(label: str, **more: object) -> Json:
    """Fail, with a label as the reason."""
    config = {"reason": "{{ trigger.payload.n }}:" + label}
    return {"action": "test.fail", "config": config, **more}


def slow(name: str) -> Json:
    """Be busy for so many seconds of the payload."""
    seconds = "{{ trigger.payload." + name + " }}"
    return {"action": "test.slow", "config": {"seconds": seconds}}


def nap(name: str) -> Json:
    """Sleep for so many seconds of the payload."""
    return {"delay": {"template": f"trigger.payload.{name}"}}


def wait(event: str, **more: object) -> Json:
    """Wait for an event with the key of the payload that says it is the right one."""
    key = "{{ trigger.payload.key }}"
    wanted = {"event": event, "context_key": key, "filter": "trigger.payload.ok", **more}
    return {"wait_for_trigger": wanted}


def tag(place: str) -> Json:
    """Record which event has ended the last wait."""
    return record(f"tag:{place}:{{{{ wait.payload.tag }}}}")


def sequence(*actions: Json) -> Json:
    """Several actions as one."""
    return {"sequence": list(actions)}


def every(divisor: int, then: list[Json], otherwise: list[Json] | None = None) -> Json:
    """Choose by the number of the run among those of its automation."""
    branch = {"when": f"trigger.payload.m % {divisor} == 0", "sequence": then}
    return {"choose": [branch], "else": otherwise or []}


def definition(name: str, *actions: Json, **more: object) -> Json:
    """A definition on the event of its name."""
    trigger = {"event": f"sleep.{name}"}
    common = {"name": name, "triggers": [trigger], "mode": "parallel", "max_runs": 1000}
    return {**common, "actions": list(actions), **more}


NAPS = definition(
    "naps",
    record("start"),
    nap("a"),
    every(2, [nap("b"), record("even")], [record("odd")]),
    {
        "parallel": [
            sequence(nap("c"), record("p"), nap("a"), record("q")),
            sequence(nap("b"), record("r")),
            record("s"),
        ]
    },
    {
        "repeat": {
            "for_each": "trigger.payload.list",
            "sequence": [nap("short"), record("item{{ repeat.item }}")],
        }
    },
    record("end"),
    max_duration_seconds=600,
)
ANSWERS = definition(
    "answers",
    {"variables": {"got": 0}},
    wait(GO),
    tag("0"),
    {
        "repeat": {
            "count": ROUNDS,
            "sequence": [
                {
                    "parallel": [
                        sequence(wait(GO), tag("{{ repeat.index + 1 }}")),
                        sequence(nap("short"), record("r{{ repeat.index }}")),
                        sequence(wait(GO), tag("{{ repeat.index + 1 }}")),
                    ]
                },
                {"variables": {"got": "{{ variables.got + 1 }}"}},
            ],
        }
    },
    every(
        3,
        [
            wait(RACE, timeout_seconds=1, continue_on_timeout=True),
            record("race:{{ wait.completed }}:{{ wait.payload.tag }}"),
        ],
    ),
    record("got{{ variables.got }}"),
)
PATIENCE = definition(
    "patience",
    wait(NEVER, timeout_seconds=1, continue_on_timeout=True),
    record("first{{ wait.completed }}"),
    {
        "parallel": [
            sequence({**wait(NEVER, timeout_seconds=2), "continue_on_error": True}, record("x")),
            sequence(nap("a"), record("y")),
        ]
    },
    every(3, [wait(NEVER, timeout_seconds=1)], [record("z")]),
    record("end"),
)
TRIES = definition(
    "tries",
    fail(
        "fail",
        retry={"attempts": FAIL_TRIES, "delay_seconds": 1, "backoff": "constant"},
        continue_on_error=True,
    ),
    record("after"),
    {"variables": {"k": 0}},
    {
        "repeat": {
            "until": "variables.k >= trigger.payload.rounds",
            "sequence": [
                nap("short"),
                record("k{{ variables.k }}"),
                {"variables": {"k": "{{ variables.k + 1 }}"}},
            ],
        }
    },
    {
        "parallel": [
            fail(
                "both",
                retry={"attempts": PARALLEL_TRIES, "delay_seconds": 2},
                continue_on_error=True,
            ),
            sequence(nap("b"), record("b")),
        ]
    },
    every(4, [fail("last")], [record("fine")]),
)
BUSY = definition(
    "busy",
    slow("busy"),
    record("worked"),
    nap("a"),
    slow("busy"),
    record("end"),
)
ALL: Final = {"busy": BUSY, "naps": NAPS, "answers": ANSWERS, "patience": PATIENCE, "tries": TRIES}


def name_of(n: int) -> str:
    """Name the automation of the nth run."""
    return NAMES[n % len(NAMES)]


def payload(n: int) -> Json:
    """The payload of the nth event: naps of 0.05 to 3 s, most of them short."""
    dice = random.Random(n)  # noqa: S311 - a scenario
    naps = {
        name: round(dice.choice([dice.uniform(0.05, 0.5), dice.uniform(0.5, 3)]), 2)
        for name in ("a", "b", "c")
    }
    short = round(dice.uniform(0.05, 0.3), 2)
    more: Json = {"key": f"key {n}", "list": ITEMS, "rounds": dice.randint(1, 3), "short": short}
    more["busy"] = round(dice.uniform(0.1, 0.8), 2)
    return {"n": n, "m": n // len(NAMES), **naps, **more}


@dataclass
class Undisturbed:
    """What a run does if nothing is killed."""

    status: str = "success"
    error: str | None = None
    records: Counter[str] = field(default_factory=Counter)
    fails: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)  # by place
    races: int = 0


def undisturbed(n: int) -> Undisturbed:
    """Say what the nth run does."""
    find: dict[str, Callable[[int, int], tuple[Undisturbed, list[str]]]] = {
        "naps": _naps, "answers": _answers, "patience": _patience, "tries": _tries, "busy": _busy,
    }  # fmt: skip
    found, labels = find[name_of(n)](n, n // len(NAMES))
    found.records = Counter(f"{n}:{label}" for label in labels)
    return found


def _naps(_: int, m: int) -> tuple[Undisturbed, list[str]]:
    items = [f"item{item}" for item in ITEMS]
    return Undisturbed(), ["start", "odd" if m % 2 else "even", *"pqrs", *items, "end"]


def _answers(_: int, m: int) -> tuple[Undisturbed, list[str]]:
    tags = Counter({"0": 1, **{str(index + 1): 2 for index in range(ROUNDS)}})
    found = Undisturbed(tags=tags, races=int(m % 3 == 0))
    return found, [*(f"r{index}" for index in range(ROUNDS)), f"got{ROUNDS}"]


def _patience(_: int, m: int) -> tuple[Undisturbed, list[str]]:
    if m % 3 == 0:
        error = f"timed out waiting for {NEVER}"
        return Undisturbed("failed", error), ["firstfalse", "x", "y"]
    return Undisturbed(), ["firstfalse", "x", "y", "z", "end"]


def _busy(_: int, __: int) -> tuple[Undisturbed, list[str]]:
    return Undisturbed(), ["worked", "end"]


def _tries(n: int, m: int) -> tuple[Undisturbed, list[str]]:
    labels = ["after", *(f"k{k}" for k in range(payload(n)["rounds"])), "b"]
    fails = Counter({f"{n}:fail": FAIL_TRIES, f"{n}:both": PARALLEL_TRIES})
    if m % 4 != 0:
        return Undisturbed(fails=fails), [*labels, "fine"]
    fails[f"{n}:last"] = 1
    return Undisturbed("failed", f"{n}:last", fails=fails), labels
