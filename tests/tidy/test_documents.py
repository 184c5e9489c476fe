"""The documents of whoever works on the tree: complete, and about what is there."""

import re

from declared import invariants_of
from sources import ROOT, SERVICE

PAGE = (ROOT / "docs/ARCHITECTURE.md").read_text()
RECIPES = (ROOT / "CONTRIBUTING.md").read_text()


def test_every_folder_of_the_service_has_its_words_in_the_architecture() -> None:
    folders = {path.parent.name for path in SERVICE.glob("*/*.py")}
    told = re.findall(r"^\* `(\w+)/` \w", PAGE, re.MULTILINE)
    assert sorted(told) == sorted(folders)


def test_the_invariants_are_all_there_each_with_tests_that_show_it() -> None:
    assert invariants_of(PAGE) == {f"I{number}" for number in range(1, 12)}
    rows = re.findall(r"^\| (I\d+) \|.*\| (.*) \|$", PAGE, re.MULTILINE)
    shown = {name: re.findall(r"`(tests/[^`]+)`", tests) for name, tests in rows}
    assert all(shown.values())
    assert {one for some in shown.values() for one in some if not (ROOT / one).is_file()} == set()


def test_there_is_a_recipe_for_each_thing_that_is_often_added() -> None:
    assert re.findall(r"^## Adding an? (.*)$", RECIPES, re.MULTILINE) == [
        "action kind", "condition kind", "filter or a test", "built-in action or trigger type",
        "CLI command", "setting", "API operation", "background service", "listener", "metric",
        "query or a column", "migration", "page or a decision",
    ]  # fmt: skip
