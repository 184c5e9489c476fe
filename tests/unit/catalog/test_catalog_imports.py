"""Where plug-ins import from."""

import ast
import importlib
import inspect

import pytest

import lockstep.catalog
from lockstep import ports


@pytest.mark.parametrize("name", ["Publisher", "Asker", "HttpCaller", "Children", "Secrets"])
def test_what_plug_ins_have_imported_from_ports_is_there_for_one_more_version(name: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"lockstep.ports.{name} goes .* lockstep.catalog"):
        found = getattr(ports, name)
    assert found is getattr(lockstep.catalog, name)


@pytest.mark.parametrize("name", ["ActionContext", "ActionResult", "Logger", "Services"])
def test_what_plug_ins_have_imported_from_the_model_is_there_for_one_more_version(
    name: str,
) -> None:
    old = importlib.import_module("lockstep.model.catalog")
    with pytest.warns(DeprecationWarning, match=f"lockstep.model.catalog.{name} goes"):
        found = getattr(old, name)
    assert found is getattr(lockstep.catalog, name)


def test_what_ports_never_had_is_not_there() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        ports.Nothing  # noqa: B018


def test_all_that_the_catalog_says_it_exports_is_there() -> None:
    for name in lockstep.catalog.__all__:
        assert hasattr(lockstep.catalog, name)


def test_the_type_check_of_a_plug_in_knows_what_it_imports_from_ports() -> None:
    (block,) = (one for one in ast.parse(inspect.getsource(ports)).body if isinstance(one, ast.If))
    imports = [one for one in block.body if isinstance(one, ast.ImportFrom)]
    told = {name.asname: (one.module or "") for one in imports for name in one.names}
    assert told == {name: f"lockstep.ports.{module}" for name, module in ports._MOVED.items()}
