"""The pages that are generated: current, complete, and what they say is so."""

import json

import pytest

from lockstep.catalog import build_catalog
from lockstep.cli.entry import run
from lockstep.cli.files import filter_reference, type_examples, type_reference
from lockstep.cli.files.filter_examples import FILTERS, NOW, TESTS
from lockstep.cli.files.filter_reference import aliases
from lockstep.render import BUILT_IN, Renderer
from lockstep.render.predicates import PREDICATES
from pages import ROOT, headings

RENDERER = Renderer()
EXAMPLES = [
    (one, text, value)
    for told in (FILTERS, TESTS)
    for one, some in told.items()
    for text, value in some
]
NOWHERE = ("--nats-url", "nats://127.0.0.1:1")


def test_the_page_of_filters_is_the_one_that_is_generated() -> None:
    wanted = "`lockstep catalog filters --reference > docs/FILTERS.md`"
    page = (ROOT / "docs/FILTERS.md").read_text()
    assert page == filter_reference.page(), f"run {wanted} and commit what it writes"


@pytest.mark.parametrize("what", ["actions", "triggers"])
def test_the_page_of_built_in_types_is_the_one_that_is_generated(what: str) -> None:
    name, page = f"docs/{what.upper()}.md", getattr(type_reference, f"{what}_page")()
    wanted = f"`lockstep catalog {what} --reference > {name}`"
    assert (ROOT / name).read_text() == page, f"run {wanted} and commit what it writes"
    catalog = build_catalog(open=True)
    known = [one.qualified_id for one in getattr(catalog, what)()]
    assert headings(ROOT / name)[1:] == known
    for one in known:  # the cases below it are run, as all on a page
        assert one in type_examples.CASES[one]


@pytest.mark.parametrize("is_test", [False, True])
def test_every_filter_and_every_test_has_an_example_that_uses_it(is_test: bool) -> None:
    told, known = (TESTS, PREDICATES) if is_test else (FILTERS, BUILT_IN)
    every = aliases(is_test=is_test)
    assert sorted(name for names in every for name in names) == sorted(known)
    assert {names[0] for names in every} == told.keys()
    for names in every:
        assert any(name in text for text, _ in told[names[0]] for name in names), names


@pytest.mark.parametrize(("name", "text", "value"), EXAMPLES)
def test_an_example_gives_what_the_page_says(name: str, text: str, value: object) -> None:
    found = RENDERER.expression(text).evaluate({"now": NOW, "trigger": {"payload": {}}})
    assert (found, type(found)) == (value, type(value)), name


def test_a_name_is_explained_as_a_filter_a_test_or_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*NOWHERE, "catalog", "filters", "upper", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["items"]
    assert [one["kind"] for one in told] == ["filter", "test"]
    assert run([*NOWHERE, "catalog", "filters", "upper"]) == 0
    assert "'Open' is upper  →  false" in capsys.readouterr().out
    assert run([*NOWHERE, "catalog", "filters", "d"]) == 0
    assert "'nobody'" in capsys.readouterr().out
    assert run([*NOWHERE, "catalog", "filters"]) == 0
    assert "divisibleby(num)" in capsys.readouterr().out
