"""How deep a value nests: as many levels pass as are named, and not one more."""

from typing import Any

import msgspec
import pytest

from lockstep_schemas.depth import MAX_DEPTH, may_nest_deeper, nests_deeper, too_deep


def nested(levels: int, last: Any, *, is_list: bool) -> Any:
    """Something within so many levels."""
    value = last
    for _ in range(levels):
        value = [1, value] if is_list else {"n": 1, "a": value}
    return value


@pytest.mark.parametrize("last", [1, None, "[[[[{{{{"])
@pytest.mark.parametrize("is_list", [False, True])
@pytest.mark.parametrize("levels", [0, 1, 2, MAX_DEPTH])
def test_as_many_levels_pass_as_are_named(levels: int, last: Any, is_list: bool) -> None:
    fits, deeper = (nested(levels + more, last, is_list=is_list) for more in (0, 1))
    assert (nests_deeper(fits, levels), nests_deeper(deeper, levels)) == (False, True)
    text, longer = msgspec.json.encode(fits), msgspec.json.encode(deeper)
    assert (too_deep(text, levels), too_deep(longer, levels) is None) == (None, False)
    assert may_nest_deeper(longer, levels)


@pytest.mark.parametrize("last", [[], {}])
def test_what_is_empty_is_a_level_too(last: Any) -> None:
    assert not nests_deeper(last, 1)
    assert nests_deeper([last], 1)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ('{"a": [1], "b": "[[[", "c": {"d": [2]}}', ["c"]),
        ('{"a": "\\\\", "b\\"[": [[2]]}', ['b"[']),
        ('{"\\u0061": [[2]]}', ["a"]),
        (' \n{"a": {"b": {}}}', ["a"]),
        ('["a", [[1]]]', []),
        ("[[[", []),
        ('{"a": [[', ["a"]),
        ('{"a": "' + '\\"' * 200_000 + "[[[", None),
        ('{"a": [1], "b": "[[[["}', None),
        ("", None),
    ],
)
def test_the_field_that_nests_deeper_is_found_without_reading_it(
    body: str, place: list[str] | None
) -> None:
    assert too_deep(body.encode(), 2) == place
