"""What a plug-in is handed is its own: it may change it, and nobody else sees that."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from databases import TEMPLATE, database, on_server
from engine.engine_fixture import EngineFixture, engine_fixture, settings_of
from engine.test_language import record
from lockstep.catalog import ActionContext, ActionResult, Registry
from lockstep.embedded import Servers
from lockstep.pipeline.setups import Fire
from patience import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
PAYLOAD: Json = {"list": [1, 2, 3], "deep": {"list": [[1], [2]]}}
SHOWN = '{"list":[1,2,3],"deep":{"list":[[1],[2]]}}'


class Free(msgspec.Struct, frozen=True):
    """A config with room for anything."""

    x: Any = None


class Greedy:
    """A plug-in that changes whatever it is handed, and keeps what it has given."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.counted: Json = {"n": [0]}
        self.fires: dict[str, Fire] = {}
        self.failures = 0

    def register(self, registry: Registry) -> None:
        """Bring its types."""
        schema = {"type": "object"}
        registry.artifact("counted", schema=schema)
        registry.add_action("take", self.take)
        registry.add_action("typed", self.take, config=Free)
        registry.add_action(
            "migrated", self.take, config=Free, config_version=2, migrations={1: migrated}
        )
        registry.add_action("scope", self.scope)
        registry.add_action("fails", self.fails)
        registry.add_action("count", self.count, produces="counted")
        registry.add_action("eat", self.eat, consumes=["counted"])
        registry.add_filter("popped", popped)
        registry.add_filter("with_more", lambda value, more: (more.append(value), more)[1])
        registry.add_filter("kept", lambda _: self.counted["n"])
        registry.trigger("keyed", context_key=lambda payload: spoil(payload) or "k")
        registry.trigger("set_up", config=Free, setup=self.set_up)

    def take(self, context: ActionContext) -> None:
        """Note the config, and spoil it."""
        config: Any = context.config
        given = {"x": config.x} if isinstance(config, Free) else config
        self.got.append(msgspec.json.decode(msgspec.json.encode(given)))
        spoil(given)

    def scope(self, context: ActionContext) -> None:
        """Spoil all that is in scope."""
        for value in dict(context.scope).values():
            spoil(value)
        spoil(context.scope["trigger"])

    def fails(self, context: ActionContext) -> ActionResult:
        """Fail once, after the config is spoilt."""
        self.take(context)
        self.failures += 1
        return ActionResult(success=self.failures % 2 == 0, error="once more")

    def count(self, context: ActionContext) -> ActionResult:
        """Give the same object each time, counted up."""
        self.counted["n"][0] += 1
        return ActionResult(artifact=self.counted)

    def eat(self, context: ActionContext) -> ActionResult:
        """Spoil what it consumes, and fail once."""
        self.got.append(msgspec.json.decode(msgspec.json.encode(context.consumed_artifacts)))
        for value in context.consumed_artifacts.values():
            spoil(value)
        self.failures += 1
        return ActionResult(success=self.failures % 2 == 0, error="once more")

    async def set_up(self, config: Free, identity: Any, fire: Fire, logger: Any) -> Any:
        """Note the config, and spoil it."""
        self.got.append(msgspec.json.decode(msgspec.json.encode(config.x)))
        spoil(config.x)
        self.fires[identity.automation_id] = fire
        return lambda: self.fires.pop(identity.automation_id)


def spoil(value: Any) -> None:
    """Change all that can be changed."""
    inner = value.values() if isinstance(value, dict) else value
    for one in [*inner] if isinstance(inner, list) or isinstance(value, dict) else ():
        spoil(one)
    if isinstance(value, dict):
        value["spoilt"] = True
    elif isinstance(value, list):
        value.append("spoilt")


def popped(value: Any) -> Any:
    """Give the last item, and take it away."""
    return value.pop()


def migrated(config: Json) -> Json:
    """Bring a config up to date, in place."""
    spoil(config)
    return {"x": "new"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def greedy(servers: Servers) -> AsyncIterator[tuple[EngineFixture, Greedy]]:
    """An engine with the plug-in."""
    name = f"greedy_{uuid4().hex}"
    await on_server(servers.postgres_dsn, f"create database {name} template {TEMPLATE}")
    dsn, plugin = database(servers.postgres_dsn, name), Greedy()
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}")
    async with engine_fixture(settings, plugins={"greedy": plugin.register}) as opened:
        yield opened, plugin


def step(name: str, **fields: object) -> Json:
    """A step of the plug-in."""
    return {"action": f"greedy.{name}", **fields}


def taking(x: object, name: str = "take") -> Json:
    """A step that is handed something."""
    return step(name, config={"x": x})


def recording(value: str) -> Json:
    """A step that records, with an id of its own."""
    return {**record(value), "id": f"r{uuid4().hex}"}


@pytest.mark.parametrize("name", ["take", "typed", "migrated", "scope"])
async def test_an_action_that_changes_what_it_is_handed_changes_it_for_nobody(
    greedy: tuple[EngineFixture, Greedy], name: str
) -> None:
    only, _ = greedy
    event = f"e.{name}"
    whole, kept = "{{ trigger.payload }}", "{{ variables.kept }}"
    loop = {"repeat": {"count": 2, "sequence": [taking(kept, name), recording(kept)]}}
    actions = [
        {"variables": {"kept": whole, "own": [[1]]}},
        taking(whole, name),
        recording(whole),
        loop,
        {"condition": "trigger.payload.list | length == 3 and variables.own == [[1]]"},
    ]
    first = await only.automation(actions, event)
    second = await only.automation([{"delay": {"seconds": 0}}, record(whole)], event)
    seen = await first.run(PAYLOAD)
    assert (seen.status, seen.recorded) == ("success", [SHOWN] * 3)
    assert "skipped" not in seen.steps.values()
    (other,) = await only.ended(second.id, 1)
    assert (await second.seen(other)).recorded == [SHOWN]


async def test_an_action_that_changes_its_config_changes_no_definition(
    greedy: tuple[EngineFixture, Greedy],
) -> None:
    only, plugin = greedy
    plugin.got.clear()
    literal = {"list": [{"a": [1]}], "mixed": ["{{ trigger.payload.list }}", [2]]}
    automation = await only.automation([taking(literal), taking(literal, "typed")])
    for _ in range(2):
        assert (await automation.run(PAYLOAD)).status == "success"
    filled = {"list": [{"a": [1]}], "mixed": [[1, 2, 3], [2]]}
    assert plugin.got == [{"x": filled}] * 4


async def test_the_second_attempt_is_handed_what_the_first_was(
    greedy: tuple[EngineFixture, Greedy],
) -> None:
    only, plugin = greedy
    retry = {"attempts": 2, "delay_seconds": 0.01, "backoff": "constant"}
    given = {"x": ["{{ trigger.payload.list }}"]}
    automation = await only.automation(
        [
            step("count", id="count"),
            step("fails", config=given, retry=retry),
            step("eat", retry=retry),
        ]
    )
    plugin.got.clear()
    assert (await automation.run(PAYLOAD)).status == "success"
    filled, eaten = {"x": [[1, 2, 3]]}, {"counted": {"n": plugin.counted["n"]}}
    assert plugin.got == [filled, filled, eaten, eaten]


async def test_what_an_action_has_given_is_not_its_own_any_more(
    greedy: tuple[EngineFixture, Greedy],
) -> None:
    only, plugin = greedy
    plugin.counted["n"][0] = 0
    automation = await only.automation(
        [step("count", id="one"), step("count", id="two"), record("{{ artifacts }}")]
    )
    seen = await automation.run()
    told = '{"one":{"counted":{"n":[1]}},"two":{"counted":{"n":[2]}}}'
    assert seen.recorded == [told]
    assert seen.step("actions[0]").result == {"artifact": {"n": [1]}}


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("trigger.payload.list | popped", "3"),
        ("trigger.payload.deep.list | map('popped') | join(',')", "1,2"),
        ("9 | with_more(trigger.payload.list) | length", "4"),
        ("9 | with_more(more=trigger.payload.deep.list) | length", "3"),
        ("trigger.payload.deep.list | popped | popped", "2"),
    ],
)
async def test_a_filter_that_changes_its_arguments_changes_them_for_nobody(
    greedy: tuple[EngineFixture, Greedy], expression: str, told: str
) -> None:
    only, _ = greedy
    filled = "{{ " + expression + " }}"
    automation = await only.automation(
        [recording(filled), recording(filled), recording("{{ trigger.payload }}")]
    )
    assert (await automation.run(PAYLOAD)).recorded == [told, told, SHOWN]


async def test_what_a_filter_has_given_is_not_its_own_any_more(
    greedy: tuple[EngineFixture, Greedy],
) -> None:
    only, plugin = greedy
    plugin.counted["n"][0] = 0
    automation = await only.automation(
        [
            {"variables": {"kept": "{{ 1 | kept }}"}},
            step("count", id="count"),
            record("{{ variables.kept }} {{ 1 | kept }}"),
        ]
    )
    assert (await automation.run()).recorded == ["[0] [1]"]


async def test_a_context_key_that_changes_the_payload_changes_it_for_nobody(
    greedy: tuple[EngineFixture, Greedy],
) -> None:
    only, _ = greedy
    automation = await only.automation([record("{{ trigger.payload }}")], "greedy.keyed")
    found = await only.ask("runs.start", automation_id=automation.id, payload=PAYLOAD)
    run_id = msgspec.json.decode(found.body)["run_id"]
    await only.ended(automation.id, 1)
    assert (await automation.seen(run_id)).recorded == [SHOWN]


async def test_a_set_up_that_changes_its_config_and_what_it_fired_changes_no_run(
    greedy: tuple[EngineFixture, Greedy],
) -> None:
    only, plugin = greedy
    plugin.got.clear()
    trigger = {"event": "greedy.set_up", "config": {"x": {"list": [[1]]}}}
    automation = await only.automation([record("{{ trigger.payload }}")], triggers=[trigger])
    await until(lambda: automation.id in plugin.fires)
    fired = msgspec.json.decode(msgspec.json.encode(PAYLOAD))
    await plugin.fires[automation.id](fired)
    spoil(fired)
    (run_id,) = await only.ended(automation.id, 1)
    assert (await automation.seen(run_id)).recorded == [SHOWN]
    await only.call("automations.toggle", id=automation.id, enabled=False)
    await until(lambda: automation.id not in plugin.fires)
    await only.call("automations.toggle", id=automation.id, enabled=True)
    await until(lambda: len(plugin.got) == 2)
    assert plugin.got == [{"list": [[1]]}] * 2
