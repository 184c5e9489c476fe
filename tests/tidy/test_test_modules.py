"""What modules of the tests are called."""

import sys
from collections import Counter
from importlib.metadata import packages_distributions

from sources import suite


def test_no_module_of_the_tests_hides_an_installed_one() -> None:
    """A folder of tests stands in the path of imports, before what is installed."""
    installed = set(packages_distributions()) | sys.stdlib_module_names
    modules = [source for source in suite() if not source.path.name.startswith("__")]
    assert [source.at(1) for source in modules if source.path.stem in installed] == []


def test_modules_of_tests_that_are_in_no_package_have_names_of_their_own() -> None:
    names = Counter(
        source.path.name
        for source in suite()
        if source.path.name.startswith("test_")
        and not (source.path.parent / "__init__.py").exists()
    )
    assert [name for name, number in names.items() if number > 1] == []
