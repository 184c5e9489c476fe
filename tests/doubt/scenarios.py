"""Small scenarios that together make every durable write of the engine."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from crash.fleet import answering
from crash.invariants import check_end
from crash.sleepers import ALL as SLEEPERS
from doubt.lab import Lab
from lockstep import intake
from lockstep.catalog import Registry
from lockstep.engine.parts import Seams
from lockstep.model.types import ActionContext, ActionResult
from lockstep.pipeline.setups import Fire

Json = dict[str, Any]
LONG: Final = 3600
ACTIVE_OF: Final = "select count(*) from runs where automation_name = $1 and finished_at is null"
ARMED_OF: Final = """
    select count(*) from timers t join automations a on a.id = t.automation_id where a.name = $1
"""
STATUS_OF: Final = "select count(*) from runs where automation_name = $1 and status = $2"


@dataclass(frozen=True)
class Scenario:
    """What is done with a lab; `reaches` are the writes that it is there for."""

    name: str
    play: Callable[[Lab], Awaitable[None]]
    reaches: frozenset[str]
    settings: Json = field(default_factory=dict)
    races: bool = False  # what comes first decides what is done: it judges that by itself


def record(value: str, name: str = "r") -> Json:
    """An action that records a value behind the number of the event."""
    config = {"value": "{{ trigger.payload.n }}:" + value}
    return {"id": f"{name}{value}", "action": "test.record", "config": config}


def slow(seconds: float) -> Json:
    """An action that takes its time."""
    return {"action": "test.slow", "config": {"seconds": seconds}}


def nap(seconds: float) -> Json:
    """Sleep for so long."""
    return {"delay": {"template": f"{seconds}"}}


def fail(**more: object) -> Json:
    """Fail."""
    return {"action": "test.fail", "config": {"reason": "on purpose"}, **more}


def wait(event: str, **more: object) -> Json:
    """Wait for an event with the key of what has started the run."""
    wanted = {"event": event, "context_key": "{{ trigger.payload.key }}", **more}
    return {"wait_for_trigger": wanted}


def start(automation: str, **more: object) -> Json:
    """Start a run of another automation."""
    config = {"automation": automation, "payload": {"n": "{{ trigger.payload.n }}"}, **more}
    return {"id": "kid", "action": "automation.start", "config": config}


async def has(lab: Lab, query: str, least: int, *arguments: object) -> None:
    """Wait until a count is so high."""

    async def enough() -> bool:
        return bool(await lab.value(query, *arguments) >= least)

    await lab.until(enough)


async def has_none(lab: Lab, query: str, *arguments: object) -> None:
    """Wait until a count is nought."""

    async def none() -> bool:
        return not await lab.value(query, *arguments)

    await lab.until(none)


async def sleep(lab: Lab) -> None:
    """Runs that sleep in every way: those that kills are tried with."""
    await lab.boot()
    for name, raw in SLEEPERS.items():
        there = f"select id from automations where name = '{name}'"
        await lab.ask("automations.create", there, name=name, definition=raw)
    lab.arm()
    runs = range(5)
    async with answering(lab, 1):
        for n in runs:
            await lab.begin(n)
        await lab.until_ended(len(runs))
    await check_end(lab, 0)


async def wake(lab: Lab) -> None:
    """A nap, a retry, a wait that is answered, and one that is not."""
    await lab.boot()
    both = {"parallel": [wait("doubt.never", timeout_seconds=1), nap(0.2)]}
    actions = [
        record("a"),
        nap(0.3),
        fail(retry={"attempts": 2, "delay_seconds": 1}, continue_on_error=True),
        wait("doubt.go", filter="8 / trigger.payload.d > 1"),
        record("b"),
        {**both, "continue_on_error": True},
        record("c"),
        {"choose": [{"when": "trigger.payload.n == 1", "sequence": [fail()]}]},
    ]
    await lab.automation("wake", actions)
    lab.arm()
    for n in range(2):
        await lab.tell("wake", n, key=f"k{n}")
    for n in range(2):
        await has(lab, "select count(*) from waits where event_id = 'doubt.go'", 2)
        await lab.publish("doubt.go", {"d": 0}, f"k{n}", f"warn {n}")
        await lab.publish("doubt.go", {"d": 2}, f"k{n}", f"go {n}")
    await lab.until_ended(2)


async def look_back(lab: Lab) -> None:
    """Waits that look back: on an answer that is there, and on one that comes."""
    await lab.boot()
    actions = [
        wait("doubt.gate"), wait("doubt.answer", lookback="run"), record("a"),
        wait("doubt.later", lookback="run"), record("b"),
    ]  # fmt: skip
    lab.arm()
    await lab.automation("look_back", actions)
    await lab.tell("look_back", 0, key="k")
    await has(lab, "select count(*) from waits where event_id = 'doubt.gate'", 1)
    await lab.publish("doubt.answer", {}, "k", "answer")
    await has(lab, "select count(*) from recent_events", 1)
    await lab.publish("doubt.gate", {}, "k", "gate")
    armed = "select count(*) from waits where event_id = 'doubt.later' and state = 'armed'"
    await has(lab, armed, 1)  # so that it looks again when the event has come
    await lab.publish("doubt.later", {}, "k", "later")
    await lab.until_ended(1)


async def ready(lab: Lab) -> None:
    """More runs than places."""
    await lab.boot()
    await lab.automation("ready", [slow(0.05), record("a")])
    lab.arm()
    for n in range(8):
        await lab.tell("ready", n)
    await lab.until_ended(8)


async def bodies(lab: Lab) -> None:
    """An event whose body is so large that the runs which it starts share it."""
    await lab.boot()
    for name in ("first", "second"):
        await lab.automation(
            name, [record("a"), nap(0.2), record("b")], triggers=[{"event": "doubt.body"}]
        )
    lab.arm()
    for n in range(2):
        await lab.tell("body", n, text="x" * 20_000)
    await lab.until_ended(4)


async def modes(lab: Lab) -> None:
    """Queued, refused, replaced, cancelled runs."""
    await lab.boot()
    await lab.automation("queued", [slow(0.1), record("a")], mode="queued", max_runs=10)
    actions = [wait("doubt.free"), record("a")]
    await lab.automation("single", actions, mode="single", max_runs=1)
    await lab.automation("restart", [nap(LONG)], mode="restart", max_runs=1)
    await lab.automation("naps", [nap(LONG)], max_duration_seconds=1)
    lab.arm()
    for n in range(3):
        await lab.tell("queued", n)
    await lab.tell("single", 0, key="k")
    await has(lab, STATUS_OF, 1, "single", "waiting")
    await lab.tell("single", 1, key="k")
    await has(lab, STATUS_OF, 1, "single", "skipped")
    await lab.publish("doubt.free", {}, "k", "free")
    for n in range(2):
        await lab.tell("restart", n)
        await has(lab, STATUS_OF, 1, "restart", "waiting")
        await lab.tell("naps", n)
    await has(lab, STATUS_OF, 1, "restart", "cancelled")
    await has(lab, STATUS_OF, 1, "restart", "waiting")
    run = await lab.value(
        "select id::text from runs where automation_name = 'restart' and finished_at is null"
    )
    over = f"select finished_at is not null from runs where id = '{run}'"
    await lab.ask("runs.cancel", over, id=run)
    await lab.until_ended(9)


async def children(lab: Lab) -> None:
    """A run that waits for one, and one that is cancelled with what it has started."""
    await lab.boot()
    kid = await lab.automation("kid", [nap(0.2), record("kid")])
    long = await lab.automation("long", [nap(LONG)])
    says = {
        "id": "says",
        "action": "test.record",
        "config": {"value": "{{ artifacts.kid.child.status }}"},
    }
    await lab.automation("parent", [start(kid, wait=True), says])
    await lab.automation("cut", [start(long, wait=True)])
    lab.arm()
    for n in range(2):
        await lab.tell("parent", n)
    await lab.tell("cut", 0)
    await has(lab, STATUS_OF, 1, "long", "waiting")
    await has(lab, STATUS_OF, 1, "cut", "waiting")
    run = await lab.value("select id::text from runs where automation_name = 'cut'")
    over = f"select finished_at is not null from runs where id = '{run}'"
    await lab.ask("runs.cancel", over, id=run)
    await lab.until_ended(6)


async def timers(lab: Lab) -> None:
    """Holds, windows, and a schedule that ticks until it is disabled."""
    await lab.boot()
    event = {"event": "doubt.hold", "for": {"seconds": 1}}
    await lab.automation("hold", [record("a")], triggers=[event])
    off = {"event": "doubt.off", "for": {"seconds": 60}, "filter": "trigger.payload.n == 0",
           "cancel_filter": "trigger.payload.n == 1"}  # fmt: skip
    await lab.automation("off", [record("a")], triggers=[off])
    event = {"event": "doubt.window", "window": {"count": 2, "minutes": 60, "refire": "every"}}
    await lab.automation("window", [record("a")], triggers=[event])
    lab.arm()
    tick = {"event": "automation.interval", "config": {"intervalSeconds": 1}}
    said = {
        "id": "tick",
        "action": "test.record",
        "config": {"value": "{{ trigger.payload.firedAt }}"},
    }
    ticks = await lab.automation("ticks", [said], triggers=[tick])
    await lab.tell("hold", 0)
    await lab.tell("off", 0)
    await has(lab, ARMED_OF, 1, "off")
    await lab.tell("off", 1)
    for n in range(2):
        await lab.tell("window", n)
    await has(lab, STATUS_OF, 2, "ticks", "success")
    disabled = f"select status = 'disabled' from automations where id = '{ticks}'"
    await lab.ask("automations.toggle", disabled, id=ticks, enabled=False)
    await has_none(lab, ACTIVE_OF, "ticks")
    others = (
        "select count(*) from runs where automation_name <> 'ticks' and finished_at is not null"
    )
    await has(lab, others, 2)
    await has_none(lab, "select count(*) from outbox")


async def holds(lab: Lab) -> None:
    """A hold is over by its deadline before it ends, and the next one is armed behind it."""
    await lab.boot()
    trigger = {"event": "doubt.next", "for": {"hours": 1}}
    await lab.automation("next", [record("a")], triggers=[trigger])
    lab.arm()
    for n in range(2):
        await lab.tell("next", n)
    kept = "select count(*) from hold_events"
    await has(lab, kept, 1)
    # The timer at the worker is set already: the sweep finds it.
    over = "update timers set due_at = clock_timestamp() where event is not null returning 1"
    assert await lab.value(over)
    # By the clock of the stream, too, which is known to some ms.
    await has(
        lab, "select count(*) from timers where due_at < clock_timestamp() - interval '0.2 s'", 1
    )
    await lab.tell("next", 2)
    await has(lab, STATUS_OF, 1, "next", "success")
    assert await lab.value(ARMED_OF, "next") == 1
    await has_none(lab, kept)
    await has_none(lab, "select count(*) from outbox")


async def sources(lab: Lab) -> None:
    """A plug-in that watches something, and fires."""
    fires: list[Fire] = []

    async def set_up(config: Json, identity: object, fire: Fire, log: object) -> None:
        del config, identity, log
        fires.append(fire)

    lab.plugins["doubt"] = lambda registry: registry.trigger("changed", setup=set_up)
    lab.arm()
    replica = await lab.boot()
    trigger = {"event": "doubt.changed"}
    await lab.automation("source", [record("a")], triggers=[trigger])
    await lab.until_here(lambda: bool(fires))
    for n in range(2):
        await lab.insist(lambda n=n: fires[-1]({"n": n}, message_id=f"m{n}"))  # type: ignore[misc]
    await lab.until_ended(2)
    await lab.halt(replica)
    await lab.boot()
    await has(lab, "select count(*) from sources", 1)


async def by_hand(lab: Lab) -> None:
    """A run that is started by hand, one that is retried, and an artifact that is closed."""
    await lab.boot()
    what = await lab.automation("hand", [record("a"), slow(0.1), fail(), record("b")])
    lab.arm()
    count = "select count(*) from runs where automation_name = 'hand'"
    await lab.ask("runs.start", f"select ({count}) >= 1", automation_id=what, payload={"n": 0})
    await has(lab, STATUS_OF, 1, "hand", "failed")
    run = await lab.value("select id::text from runs")
    await lab.ask("runs.retry", f"select ({count}) >= 2", id=run, **{"from": "failed"})
    await lab.until_ended(2)
    artifact = await lab.value("select id::text from artifacts")
    closed = f"select closed_at is not null from artifacts where id = '{artifact}'"
    await lab.ask("artifacts.close", closed, id=artifact)


async def artifacts(lab: Lab) -> None:
    """What a run has made, and one of another automation closes."""

    def register(registry: Registry) -> None:
        registry.artifact("ticket")
        registry.add_action("open", _open, produces="ticket")
        registry.add_action("settle", _settle, consumes=["ticket"], closes=["ticket"])

    lab.plugins["doubt"] = register
    await lab.boot()
    actions = [{"id": "open", "action": "doubt.open"}, nap(0.1), {"action": "doubt.settle"}]
    await lab.automation("tickets", actions)
    lab.arm()
    for n in range(2):
        await lab.tell("tickets", n, key=f"k{n}")
    await lab.until_ended(2)
    await has_none(lab, "select count(*) from artifacts where closed_at is null")


async def _open(_: ActionContext) -> ActionResult:
    return ActionResult(artifact={})


async def _settle(_: ActionContext) -> None:
    return None


async def adopt(lab: Lab) -> None:
    """Runs of a worker that is gone; of one the frames are gone too."""
    first = await lab.boot()
    await lab.automation("lost", [record("a"), slow(LONG)])
    await lab.automation("adopt", [record("a"), nap(2), record("b")])
    await lab.tell("lost", 0)
    for n in range(2):
        await lab.tell("adopt", n)
    await has(lab, STATUS_OF, 2, "adopt", "waiting")
    await has(
        lab, "select count(*) from run_steps where action_kind = 'action' and attempts = 1", 4
    )
    await lab.halt(first)
    lost = "select id from runs where automation_name = 'lost'"
    await lab.rows(f"delete from run_frames where run_id = ({lost})")
    await lab.rows("update runs set status = 'running', owner = gen_random_uuid()")
    lab.arm()
    await lab.boot()
    await lab.until_ended(3)
    # Without its frames nobody knows that it had a step open.
    await lab.rows(f"delete from run_steps where run_id = ({lost}) and finished_at is null")


async def unwalked(lab: Lab) -> None:
    """Runs that a replica owns and does not walk, as after a claim that was left in doubt."""
    replica = await lab.boot()
    await lab.automation("unwalked", [record("a"), nap(3), record("b")])
    for n in range(2):
        await lab.tell("unwalked", n)
    await has(lab, STATUS_OF, 2, "unwalked", "waiting")
    lab.arm()
    assert replica.engine is not None
    await lab.rows(
        """
        with owned as (update runs set status = 'running', owner = $1, epoch = epoch + 1
                        where status = 'waiting' returning id, epoch)
        update run_frames f set epoch = owned.epoch from owned where f.run_id = owned.id
    """,
        replica.engine.id,
    )
    await lab.until_ended(2)


async def stop(lab: Lab) -> None:
    """A replica that ends in good order while it is at work; another one goes on."""
    first = await lab.boot()
    await lab.automation(
        "stop", [slow(0.2), record("a"), slow(0.2), record("b"), nap(0.1), record("c")]
    )
    for n in range(4):
        await lab.tell("stop", n)
    await has(lab, "select count(*) from runs where owner is not null", 1)
    lab.arm()
    await lab.halt(first)
    await lab.boot()
    await lab.until_ended(4)


async def suspects(lab: Lab) -> None:
    """Events that are handled alone, because they came often."""
    lab.seams = Seams(retries=intake.Retries(deliveries=0))
    await lab.boot()
    await lab.automation("suspect", [record("a")])
    lab.arm()
    for n in range(3):
        await lab.tell("suspect", n)
    await lab.until_ended(3)


async def changes(lab: Lab) -> None:
    """Automations and types that come, change and go."""
    lab.arm()
    await lab.boot()
    tick = {"event": "automation.cron", "config": {"cronPattern": "0 0 1 1 *"}}
    hold = {"event": "doubt.changes", "for": {"minutes": 10}}
    what = await lab.automation("changes", [record("a")], triggers=[tick, hold])
    await lab.tell("changes", 0)
    await has(lab, "select count(*) from timers where kind = 'hold'", 1)
    definition: Json = (await lab.ask("automations.get", id=what))["definition"]
    definition["triggers"] = [tick, {"event": "doubt.changes"}]
    second = f"select version >= 2 from automations where id = '{what}'"
    await lab.ask("automations.update", second, id=what, definition=definition)
    await lab.tell("changes", 1)
    await lab.until_ended(1)
    await lab.ask("catalog.actions.register", id="doubt.act", owner="doubt")
    await lab.ask("catalog.triggers.register", id="doubt.event", owner="doubt")
    gone = f"select not exists (select from automations where id = '{what}')"
    await lab.ask("automations.delete", gone, id=what)
    await has_none(lab, "select count(*) from outbox")


def _all(*marks: str) -> frozenset[str]:
    return frozenset(mark for some in marks for mark in some.split())


EVENT: Final = _all("receipts/take runs/create=running")
SCENARIOS: Final = {
    one.name: one
    for one in [
        Scenario(
            "sleep", sleep, _all("runs/checkpoint=waiting runs/checkpoint=running waits/fire")
        ),
        Scenario(
            "wake",
            wake,
            EVENT
            | _all("runs/checkpoint=running runs/checkpoint=waiting runs/checkpoint=success")
            | _all("runs/checkpoint=failed waits/fire waits/warn outbox/forget decisions/add")
            | _all("workers/heartbeat")
            | {
                "PUB $JS.ACK.lockstep_TRIGGERS.engine",
                "PUB $KV.lockstep_waits.*",
                "PUB $KV.lockstep_workers.*",
                "PUB lockstep.run.*.started",
                "PUB lockstep.run.*.waiting",
                "PUB lockstep.run.*.succeeded",
            },
        ),
        Scenario(
            "look_back",
            look_back,
            _all(
                "automations/look_back recent/keep recent/arm recent/look_again recent/take"
                " waits/fire"
            ),
        ),
        Scenario(
            "ready", ready, EVENT | _all("runs/create=pending runs/claim_ready"), {"max_walks": 2}
        ),
        Scenario("bodies", bodies, EVENT | _all("bodies/keep")),
        Scenario(
            "modes",
            modes,
            _all("queues/promote runs/create=skipped runs/create=pending outbox/add waits/fire")
            | _all("runs/end=cancelled runs/end=failed")
            | {"PUB $KV.lockstep_delays.*"},
        ),
        Scenario(
            "children",
            children,
            _all("runs/create=running runs/checkpoint=waiting runs/end=cancelled waits/fire"),
        ),
        Scenario(
            "timers",
            timers,
            _all("timers/arm_holds timers/take_holds holds/keep timers/move_schedule")
            | _all("triggers/keep_occurrences runs/create=running"),
        ),
        Scenario(
            "holds",
            holds,
            _all("holds/keep holds/drop holds/arm_kept timers/take_holds runs/create=running"),
        ),
        Scenario(
            "sources",
            sources,
            EVENT | _all("triggers/claim_setups triggers/release_setups"),
        ),
        Scenario("by_hand", by_hand, _all("runs/create=running runs/copy_steps artifacts/close")),
        Scenario("artifacts", artifacts, _all("artifacts/close_many")),
        Scenario(
            "adopt",
            adopt,
            _all("runs/adopt runs/revive_frames runs/checkpoint=failed"),
            {"grace_seconds": 0.1},
        ),
        Scenario("unwalked", unwalked, _all("runs/let_go runs/claim_ready")),
        Scenario(
            "stop", stop, _all("runs/checkpoint=pending workers/retire"), {"grace_seconds": 2}
        ),
        Scenario("suspects", suspects, _all("receipts/suspect receipts/clear_suspect")),
        Scenario(
            "changes",
            changes,
            _all("automations/insert automations/insert_version automations/update")
            | _all("automations/delete automations/forget_history catalog/raise_revision")
            | _all("catalog/register_action catalog/register_trigger outbox/add")
            | _all("timers/sync_schedules timers/drop_holds_of timers/drop_of"),
        ),
    ]
}
