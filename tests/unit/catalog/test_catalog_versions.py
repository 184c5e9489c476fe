"""Versions of configs: the chain of migrations is whole, or the plug-in is refused."""

from typing import Any

import pytest

from lockstep.catalog import CatalogError, build_catalog
from lockstep.model.errors import RenderError
from lockstep.walk.call import brought_up


async def act(context: Any) -> None:
    """Do nothing."""


def one(config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "one": True}


def two(config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "two": config["one"]}


def registered(**options: Any) -> Any:
    catalog = build_catalog(open=False)
    catalog.register("p", lambda registry: registry.add_action("a", act, **options))
    return catalog.action("p.a")


@pytest.mark.parametrize(
    "options",
    [
        {"config_version": 0},
        {"config_version": 2},
        {"config_version": 3, "migrations": {2: two}},
        {"config_version": 2, "migrations": {1: one, 2: two}},
        {"migrations": {1: one}},
        {"config_version": 2, "migrations": {1: act}},
    ],
)
def test_a_chain_with_a_gap_or_without_end_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(CatalogError, match=r"action 'p\.a'"):
        registered(**options)


def test_a_config_goes_through_all_that_came_since_it_was_stored() -> None:
    kind = registered(config_version=3, migrations={1: one, 2: two})
    assert brought_up({}, kind, 1) == {"one": True, "two": True}
    assert brought_up({"one": 7}, kind, 2) == {"one": 7, "two": 7}
    assert brought_up({"x": 1}, kind, 3) == {"x": 1}


def test_a_config_of_a_later_version_or_a_migration_that_raises_fails_the_step() -> None:
    kind = registered(config_version=3, migrations={1: one, 2: two})
    with pytest.raises(RenderError, match="it is of version 4"):
        brought_up({}, kind, 4)
    with pytest.raises(RenderError, match="migration from version 2 failed"):
        brought_up({}, kind, 2)
