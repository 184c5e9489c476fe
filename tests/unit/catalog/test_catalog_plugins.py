"""Plug-ins: what is loaded, and what a bad one cannot do."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest
import structlog.testing

from lockstep.catalog import MemoryCatalog, Registry, build_catalog, load_plugins
from lockstep.model.types import ActionContext
from unit.catalog.helpers import action_of


async def nothing(context: ActionContext) -> None: ...


def good(registry: Registry) -> None:
    registry.artifact("thing")
    registry.add_action("make", nothing, produces="thing")
    registry.trigger("made", context_key="/id")


def raises(registry: Registry) -> None:
    good(registry)
    raise RuntimeError("kaput")


def leaves(registry: Registry) -> None:
    good(registry)
    sys.exit(3)


def registers_twice(registry: Registry) -> None:
    good(registry)
    registry.artifact("thing")


def produces_what_is_not(registry: Registry) -> None:
    good(registry)
    registry.add_action("other", nothing, produces="unknown")


async def coroutine(registry: Registry) -> None:
    good(registry)


NO_FUNCTION = "text"


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions above, as an importable package that entry points can name."""
    module = ModuleType("plugin_package")
    module.__dict__.update(globals())
    monkeypatch.setitem(sys.modules, "plugin_package", module)


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, f"plugin_package:{value}", "lockstep.plugins")


def test_each_plugin_registers_under_the_name_of_its_entry_point() -> None:
    catalog = MemoryCatalog(is_open=False)
    assert not load_plugins(catalog, [point("teams", "good"), point("jira", "good")])
    assert [a.qualified_id for a in catalog.actions()] == ["jira.make", "teams.make"]
    produced = action_of(catalog, "jira.make").produces
    assert produced is catalog.artifact("jira.thing")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("raises", "RuntimeError: kaput"),
        ("leaves", "SystemExit: 3"),
        ("registers_twice", "already registered"),
        ("produces_what_is_not", "'bad.unknown'"),
        ("coroutine", "no plain function"),
        ("NO_FUNCTION", "no plain function"),
        ("missing", "AttributeError"),
    ],
)
def test_a_bad_plugin_is_named_leaves_nothing_and_the_others_are_loaded(
    value: str, reason: str
) -> None:
    catalog = MemoryCatalog(is_open=False)
    points = [point("a", "good"), point("bad", value), point("c", "good")]
    with structlog.testing.capture_logs() as lines:
        [failure] = load_plugins(catalog, points)
    assert (failure.plugin, failure.source) == ("bad", f"plugin_package:{value}")
    assert reason in failure.error
    assert {a.plugin for a in catalog.actions()} == {"a", "c"}
    assert {t.plugin for t in catalog.triggers()} == {"a", "c"}
    assert {a.plugin for a in catalog.artifacts()} == {"a", "c"}
    assert [(x["event"], x["plugin"]) for x in lines] == [
        ("plugin.loaded", "a"),
        ("plugin.failed", "bad"),
        ("plugin.loaded", "c"),
    ]


def test_a_package_that_cannot_be_imported_is_a_failure_only() -> None:
    broken = EntryPoint("broken", "no_such_package_here:register", "lockstep.plugins")
    [failure] = load_plugins(MemoryCatalog(is_open=False), [broken])
    assert "no_such_package_here" in failure.error


@pytest.mark.parametrize("name", ["automation", "nats", "lockstep", "http", "a.b", "two words"])
def test_a_name_that_is_the_engines_or_no_word_is_refused(name: str) -> None:
    catalog = build_catalog(open=False)
    before = len(catalog.actions())
    [failure] = load_plugins(catalog, [point(name, "good")])
    assert "plug-in name" in failure.error
    assert len(catalog.actions()) == before


def test_of_two_packages_with_one_name_the_second_is_refused() -> None:
    catalog = MemoryCatalog(is_open=False)
    [failure] = load_plugins(
        catalog, [point("jira", "good"), point("jira", "produces_what_is_not")]
    )
    assert failure.source == "plugin_package:produces_what_is_not"
    assert "another package" in failure.error


def test_without_a_list_the_installed_plugins_are_loaded() -> None:
    assert not load_plugins(MemoryCatalog(is_open=False))
