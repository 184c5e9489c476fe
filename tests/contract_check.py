"""Judges what really crosses the edge by the schemas; every test with an engine asks it."""

from functools import cache
from typing import Any

import jsonschema_rs
import msgspec

from lockstep import contract
from lockstep.contract.schemas import reply_of, request_of


@cache
def _validators() -> dict[str, Any]:
    return {
        name: jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        for name, schema in contract.schemas().items()
    }


def check(name: str, document: object) -> None:
    """Fail if a document is not as its schema says."""
    errors = _validators()[name].iter_errors(document)
    assert [(error.instance_path, error.message) for error in errors] == [], name


def check_call(endpoint: str, request: object, reply: bytes, *, refused: bool) -> None:
    """Fail if the engine takes a request that its schema refuses, or answers otherwise."""
    if request_of(endpoint) not in _validators():
        return  # not one of the API: a test's own
    if refused:
        check("api-error", msgspec.json.decode(reply))
    else:
        check(request_of(endpoint), request)
        check(reply_of(endpoint), msgspec.json.decode(reply))
