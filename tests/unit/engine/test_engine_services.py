"""The table of services: what runs in the background, in which order, under which name."""

import ast
import inspect
from dataclasses import fields
from typing import cast, get_args

from lockstep import bus, store
from lockstep.catalog import ServiceBag, build_catalog
from lockstep.engine import services
from lockstep.engine.assembly import build
from lockstep.engine.parts import Assembly, Loops
from lockstep.engine.services import ANSWER_SECONDS, Service, table
from lockstep.settings.structs import EngineSettings, Settings
from unit.moved import moved

LANES = ["slow", "bulk"]


def assembled(settings: Settings | None = None) -> Assembly:
    """A replica that is connected to nothing: what is not asked need not answer."""
    settings = settings or Settings(nats=bus.BusSettings(lanes=LANES))
    nothing = cast("store.pool.Pool", None)
    database = store.Store(nothing, dict.fromkeys(get_args(store.pool.Apart), nothing))
    connection = bus.Connection(settings.nats)
    return build(settings, database, connection, build_catalog(open=True), ServiceBag())


def names(services: list[Service]) -> list[str]:
    """Their names, in order."""
    return [one.name for one in services]


@moved
async def test_each_service_has_a_name_of_its_own() -> None:
    found = names([*table(assembled())])
    assert len({*found}) == len(found)


@moved
async def test_what_saves_comes_first_and_what_takes_work_last() -> None:
    found = names([*table(assembled())])
    order = [
        "committer", "outbox", "heartbeat", "walk_pool", "notices", "wait_timers",
        "bus_alarms_delay", "bus_alarms_wait", "claims", "trigger_setups",
        "intake", "intake_slow", "intake_bulk", "api",
    ]  # fmt: skip
    assert [name for name in found if name in order] == order
    assert (found[0], found[-1]) == ("committer", "api")


@moved
async def test_the_row_of_a_worker_goes_before_its_key_whose_end_the_others_see() -> None:
    services = [*table(assembled())]
    stops = [one.name for one in reversed(services) if one.stop is not None]
    assert stops == ["heartbeat", "worker_key"]


@moved
async def test_what_tells_parents_of_their_children_outlives_the_walks() -> None:
    ends = [one.name for one in reversed([*table(assembled())])]
    assert ends.index("walk_pool") < ends.index("child_runs") < ends.index("outbox")


@moved
async def test_walks_have_the_grace_of_the_settings_to_come_to_their_next_checkpoint() -> None:
    settings = Settings(engine=EngineSettings(grace_seconds=17))
    (pool,) = (one for one in table(assembled(settings)) if one.name == "walk_pool")
    assert pool.drain_seconds == 17
    assert pool.undrained is not None


@moved
async def test_requests_that_are_left_at_the_end_are_answered_before_the_drain_is_cut_off() -> None:
    (api,) = (one for one in table(assembled()) if one.name == "api")
    assert api.drain_seconds > ANSWER_SECONDS


@moved
async def test_what_is_begun_is_finished_at_the_end() -> None:
    drained = {one.name for one in table(assembled()) if one.drain is not None}
    assert drained == {
        "outbox", "walk_pool", "bus_alarms_delay", "bus_alarms_wait",
        "intake", "intake_slow", "intake_bulk", "api",
    }  # fmt: skip


@moved
async def test_a_service_runs_or_is_begun_and_only_what_runs_is_done_again() -> None:
    for one in table(assembled()):
        assert one.run is not None or one.start is not None, one.name
        assert one.every is None or (one.run is not None and one.every > 0), one.name


def test_what_is_made_to_run_in_the_background_is_in_the_table() -> None:
    tree = ast.parse(inspect.getsource(services))
    used = {one.attr for one in ast.walk(tree) if isinstance(one, ast.Attribute)}
    assert {one.name for one in fields(Loops)} - used == set()
