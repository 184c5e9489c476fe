"""Every error that an endpoint may raise is an error reply that says which it is."""

import msgspec
import pytest
from structlog.testing import capture_logs

from lockstep.catalog import CatalogError
from lockstep.cli.files.error_codes import classes
from lockstep.control import EndpointReply, handler
from lockstep.control.errors import InvalidDefinition, RunNotFound, bad_field
from lockstep.model.errors import EngineError, Unavailable
from lockstep.model.faults import MAX_MESSAGE, STATUS
from lockstep_schemas.api import Fault, Issue, Success
from lockstep_schemas.events import Actor


class Ask(msgspec.Struct):
    """A request."""

    number: int = 0


async def answer(error: Exception | None, body: bytes = b"{}") -> EndpointReply:
    """What is answered where the method ends with an error."""

    async def method(_: Ask, __: Actor | None) -> Success:
        if error is not None:
            raise error
        return Success()

    return await handler(Ask, method)(body, {})


def fault(answered: EndpointReply) -> Fault:
    """The body of an error reply; its headers say the same."""
    made = msgspec.json.decode(answered.body, type=Fault)
    assert (answered.error_code, answered.error) == (STATUS[made.code], made.message)
    return made


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.code)
async def test_an_error_of_ours_is_told_with_its_kind_and_code(kind: type[EngineError]) -> None:
    with capture_logs() as lines:
        told = fault(await answer(kind.__new__(kind, "door 7: it is shut; open it")))
    assert (told.code, told.error) == (kind.category, kind.code)
    assert told.message == "door 7: it is shut; open it"
    assert bool(lines) == (told.code == "internal"), "logged where the engine is at fault"


async def test_what_nobody_thought_of_tells_nothing_of_our_insides_but_is_logged() -> None:
    with capture_logs() as lines:
        told = fault(await answer(KeyError("hunter2")))
    assert (told.code, told.error) == ("internal", "engine.internal")
    assert "hunter2" not in told.message
    assert [line["event"] for line in lines] == ["request.failed"]


async def test_a_server_that_is_away_is_busy_with_503() -> None:
    answered = await answer(Unavailable("PostgreSQL at db: no connection"))
    assert answered.error_code == "503"
    assert msgspec.json.decode(answered.body) == {
        "code": "busy",
        "error": "server.unavailable",
        "message": "PostgreSQL at db: no connection",
    }


@pytest.mark.parametrize("body", [b"{", b'{"number": "x"}', b"\xff", b"[" * 100_000])
async def test_a_request_of_the_wrong_form_is_told_as_such(body: bytes) -> None:
    told = fault(await answer(None, body))
    assert (told.code, told.error) == ("bad_request", "request.invalid")


async def test_the_places_of_a_fault_are_told() -> None:
    issue = Issue(path=["actions", 0], message="no such action")
    assert fault(await answer(InvalidDefinition("refused", [issue]))).issues == [issue]
    assert fault(await answer(bad_field("too long", "name"))).issues == [
        Issue(path=["name"], message="too long")
    ]
    error = CatalogError("action 'a.b': config: no schema")
    error.issues = [issue]
    assert fault(await answer(error)).issues == [issue]
    assert fault(await answer(RunNotFound("17"))).issues is None


async def test_a_long_message_is_cut_to_what_a_reply_holds() -> None:
    with capture_logs():
        told = fault(await answer(EngineError("x" * 100_000)))
    assert len(told.message) == MAX_MESSAGE


@pytest.mark.parametrize("levels", [300, 976, 100_000])
async def test_a_request_that_nests_too_deep_is_refused(levels: int) -> None:
    body = b'{"other":' + b"[" * levels + b"]" * levels + b"}"
    told = fault(await answer(None, body))
    assert (told.code, "256 levels" in told.message) == ("bad_request", True)


@pytest.mark.parametrize("levels", [256, 400, 1100, 100_000])
@pytest.mark.parametrize("name", ["other", "x" * 5000])
async def test_the_field_that_nests_too_deep_is_named(name: str, levels: int) -> None:
    deep, less = (b"[" * number + b"]" * number for number in (levels, 255))
    body = b'{"number":1,"less":' + less + b',"' + name.encode() + b'":' + deep + b"}"
    [issue] = fault(await answer(None, body)).issues or ()
    assert issue.path == [name[:200]]
    assert fault(await answer(None, b"[" + deep + b"]")).issues is None
