"""What CONTRIBUTING.md says of adding something, done in a copy of the tree."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import Final

import pytest

from followed import blocks, copy_tree, insert, python, recipe

FILTER: Final = "Adding a filter or a test"
SETTING: Final = "Adding a setting"
LOCKSTEP: Final = ("-m", "lockstep", "--nats-url", "nats://127.0.0.1:1")  # without an engine
# Before what the rows of the recipes stand.
BEFORE: Final[Mapping[str, Mapping[str, str]]] = {
    FILTER: {
        "service/lockstep/render/filters_text.py": "def upper(",
        "service/lockstep/render/filters.py": '    "lower": texts.lower,',
        "service/lockstep/cli/files/filter_examples.py": '    "capitalize": (',
    },
    SETTING: {"service/lockstep/settings/structs.py": "    max_walks: Annotated["},
}
DECLARED: Final = """
from declared import dead
from sources import product, samples

print(*(one for one in dead(product(), [product(), samples()], {}) if "nap_seconds" in str(one)))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    copy_tree(tmp_path)
    return tmp_path


def follow(copy: Path, heading: str, *but: str) -> None:
    """Put the rows of a recipe where they belong, but for those of some files."""
    rows = blocks(recipe(heading), "row")
    assert rows.keys() == BEFORE[heading].keys()
    for name, text in rows.items():
        if name not in but:
            before = BEFORE[heading][name]
            level = before[: len(before) - len(before.lstrip())]
            insert(copy / name, indent(text, level) + ("\n\n" if not level else ""), before)


async def test_a_filter_that_is_added_as_the_recipe_says_works_and_is_explained(copy: Path) -> None:
    follow(copy, FILTER)
    code, said = await python(copy, *LOCKSTEP, "catalog", "filters", "initials")
    assert code == 0, said
    assert "Give the first letters of the words of a text." in said
    assert "'full disk' | initials" in said
    code, page = await python(copy, *LOCKSTEP, "catalog", "filters", "--reference")
    assert code == 0, page
    assert "initials" in page
    tests = ("tests/unit/render/test_render_charges.py", "-k", "initials", "-n", "0", "-q")
    code, said = await python(copy, "-m", "pytest", "-p", "no:cacheprovider", *tests)
    assert code == 0, said


async def test_a_filter_without_an_example_is_not_explained(copy: Path) -> None:
    follow(copy, FILTER, "service/lockstep/cli/files/filter_examples.py")
    code, said = await python(copy, *LOCKSTEP, "catalog", "filters", "--reference")
    assert code != 0
    assert "initials" in said


async def test_a_setting_that_is_added_as_the_recipe_says_is_read_and_asked_for(copy: Path) -> None:
    follow(copy, SETTING)
    code, page = await python(copy, "-m", "lockstep", "config", "--reference")
    assert code == 0, page
    (row,) = [line for line in page.splitlines() if "`engine.nap_seconds`" in line]
    assert "LOCKSTEP_ENGINE__NAP_SECONDS" in row
    assert "How long a worker naps." in row
    code, said = await python(copy, "-c", DECLARED)
    assert code == 0, said
    assert "nap_seconds" in said, "nothing reads it, and nothing says so"
