"""Where plug-ins import from."""

import importlib

import pytest

import lockstep.catalog


@pytest.mark.parametrize("name", ["Publisher", "Asker", "HttpCaller", "Children", "Secrets"])
def test_what_plug_ins_have_imported_from_ports_is_there_for_one_more_version(name: str) -> None:
    ports = importlib.import_module("lockstep.ports")
    with pytest.warns(DeprecationWarning, match=f"lockstep.ports.{name} goes .* lockstep.catalog"):
        found = getattr(ports, name)
    assert found is getattr(lockstep.catalog, name)


def test_what_ports_never_had_is_not_there() -> None:
    ports = importlib.import_module("lockstep.ports")
    with pytest.raises(AttributeError, match="Nothing"):
        ports.Nothing  # noqa: B018


def test_all_that_the_catalog_says_it_exports_is_there() -> None:
    for name in lockstep.catalog.__all__:
        assert hasattr(lockstep.catalog, name)
