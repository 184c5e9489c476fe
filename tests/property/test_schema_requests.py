"""What the engine decodes by a struct alone its schema takes, and the other way round."""

import copy
from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep import contract, control
from lockstep.contract.examples import EXAMPLES
from lockstep.contract.schemas import TAKEN, request_of
from lockstep_schemas.definition import Definition
from property.test_schema import BOUNDS, places

Json = Any

KINDS: Final[Mapping[str, type[msgspec.Struct]]] = {
    **{name: kind for name, kind in TAKEN.items() if kind is not Definition},
    **{request_of(name): one.request for name, one in control.table().items()},
}
SCHEMAS = contract.schemas()
KEYS = ("limit", "offset", "id", "status", "since", "from", "ids", "zz", "success", "hop")
ODD = ["2026-01-31T12:00:00Z", "2026-01-31", "failed", "enabled", "start", 201, 86_401, [[]], [1]]


@st.composite
def mutated(draw: st.DrawFn, base: Json) -> Json:
    """An example, changed at one place or two, or not at all."""
    raw: Json = copy.deepcopy(base)
    values = st.sampled_from([*BOUNDS, *ODD]).map(copy.deepcopy)
    for _ in range(draw(st.integers(0, 2))):
        spots = [path for path in places(raw) if path]
        change = draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "add" or not spots:
            raw[draw(st.sampled_from(KEYS))] = draw(values)
            continue
        *way, last = draw(st.sampled_from(spots))
        holder = raw
        for step in way:
            holder = holder[step]
        if change == "remove":
            del holder[last]
        else:
            holder[last] = draw(values)
    return raw


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=60)
@given(data=st.data())
def test_the_schema_and_the_struct_agree(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    raw = data.draw(mutated(data.draw(st.sampled_from(EXAMPLES[kind]))))
    try:
        msgspec.json.decode(msgspec.json.encode(raw), type=kind)
        wrong = ""
    except msgspec.ValidationError as error:
        wrong = str(error)
    validator = jsonschema_rs.Draft202012Validator(SCHEMAS[name], validate_formats=True)
    found = [error.message for error in validator.iter_errors(raw)]
    assert bool(wrong) == bool(found), f"struct: {wrong}\nschema: {found}\n{raw}"
