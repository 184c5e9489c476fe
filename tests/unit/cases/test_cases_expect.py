"""What is told of a case whose calls are not as expected."""

from typing import Any

import pytest
from msgspec import convert

from lockstep.cases.expect import Seen, differences
from lockstep.cases.format import Expect

PAGE: dict[str, Any] = {"action": "pager.page", "config": {"who": "first", "loud": True}}
OTHER: dict[str, Any] = {"action": "pager.page", "config": {"who": "bös"}}
TOLD = '{"action": "pager.page", "config": {"who": "first", "loud": true}}'
TOLD_OTHER = '{"action": "pager.page", "config": {"who": "bös"}}'


@pytest.mark.parametrize(
    ("wanted", "found", "told"),
    [
        ([PAGE], [PAGE], []),
        ([], [PAGE], [f"calls[0]: expected nothing, got {TOLD}"]),
        ([PAGE, OTHER], [PAGE], [f"calls[1]: expected {TOLD_OTHER}, got nothing"]),
        ([OTHER, PAGE], [PAGE, PAGE], [f"calls[0]: expected {TOLD_OTHER}, got {TOLD}"]),
    ],
)
def test_each_call_that_differs_is_told_as_the_file_of_the_case_has_it(
    wanted: list[Any], found: list[Any], told: list[str]
) -> None:
    seen = Seen(runs=[], recorded=[], consumed=[], calls=found, action_calls=0, definitions={})
    assert list(differences(convert({"calls": wanted}, Expect), seen)) == told
