"""Texts for people are bounded where they are made, and so is a run event, whatever it tells."""

import asyncio
from uuid import uuid4

import msgspec
import pytest

from lockstep.model.run_events import EVENT_BYTES, run_event
from lockstep.model.runs import Ending
from lockstep.model.secrets import MASKER
from lockstep.model.texts import TEXT_BYTES, described, said, storable
from lockstep.walk.outcome import Failed, Skipped, Stopped
from lockstep_schemas.run_events import RunEvent
from unit.values import NOW, run_state

LONG = "ä" * 1_048_000


@pytest.mark.parametrize("text", ["", "short", "ä" * 2048, "x" * TEXT_BYTES, "🙂" * 1024])
def test_a_text_that_fits_stays_as_it_is(text: str) -> None:
    assert storable(text) == text


@pytest.mark.parametrize("text", ["x" * 4097, "ä" * 2049, "xä" * 4000, "x🙂" * 4000, "xx🙂" * 4000])
def test_a_longer_text_is_cut_between_characters_and_says_so(text: str) -> None:
    cut = storable(text)
    assert TEXT_BYTES - 4 < len(cut.encode()) + 1 <= TEXT_BYTES + 1
    assert cut.endswith("…")
    assert text.startswith(cut[:-1])


def test_what_neither_postgresql_nor_json_can_hold_is_replaced() -> None:
    assert storable("a\0b") == "a\N{REPLACEMENT CHARACTER}b"
    assert storable("a\ud800b") == "a?b"


def test_every_outcome_and_every_end_from_outside_has_a_bounded_reason() -> None:
    made = [Failed(LONG).reason, Skipped(LONG).reason, Stopped(LONG, error=True).reason]
    ending = Ending(status="cancelled", reason=LONG, error=LONG, at=NOW)
    for text in [*made, ending.reason, ending.error]:
        assert text is not None
        assert len(text.encode()) <= TEXT_BYTES


@pytest.mark.parametrize("letter", ["x", "\x01", "ä", '"'])
def test_a_run_event_is_bounded_whatever_is_long_in_it(letter: str) -> None:
    text = letter * 1_000_000
    run = run_state(context_key=text, automation_name=letter * 200)
    row = run_event("p", run, 1, "failed", "failed", NOW, error=text, reason=text, waiting_for=text)
    assert len(row.body) <= EVENT_BYTES
    data = msgspec.json.decode(row.body, type=RunEvent).data
    for told in (data.context_key, data.error, data.reason, data.waiting_for):
        assert told is not None
        assert told.endswith("…")
        assert text.startswith(told[:-1])
    assert data.run_id == str(run.id)


def test_of_a_run_event_that_fits_nothing_is_cut() -> None:
    run = run_state(context_key="k" * 4096)
    row = run_event("p", run, 1, "failed", "failed", NOW, error="e" * 4096)
    data = msgspec.json.decode(row.body, type=RunEvent).data
    assert (data.context_key, data.error) == ("k" * 4096, "e" * 4096)


class Unsayable(Exception):
    """One whose text cannot be had."""

    def __init__(self, raised: BaseException) -> None:
        super().__init__()
        self._raised = raised

    def __str__(self) -> str:
        raise self._raised


class Quit(BaseException):
    """One that `except Exception` does not catch."""


@pytest.mark.parametrize(
    "raised",
    [ValueError("no"), Quit(), SystemExit(1), asyncio.CancelledError(), RecursionError()],
    ids=lambda raised: type(raised).__name__,
)
def test_what_cannot_say_itself_is_called_by_its_type(raised: BaseException) -> None:
    assert said(Unsayable(raised)) == described(Unsayable(raised)) == "Unsayable"


def test_what_says_nothing_is_called_by_its_type() -> None:
    assert said(ValueError()) == described(ValueError()) == "ValueError"
    assert said(ValueError("")) == "ValueError"


class Sneaky(str):
    """A text whose methods raise."""

    __slots__ = ()

    def __getitem__(self, _: object) -> str:
        raise Quit

    encode = isascii = __getitem__  # type: ignore[assignment]


def test_the_text_of_others_is_a_plain_text() -> None:
    class Says(Exception):
        def __str__(self) -> str:
            return Sneaky("hello")

    class Unnamed(type):
        def __getattribute__(cls, name: str) -> object:
            raise Quit

    class Nameless(metaclass=Unnamed):
        def __str__(self) -> str:
            raise Quit

    assert type(said(Says())) is str
    assert described(Says()) == "Says: hello"
    assert said(Nameless()) == described(Nameless()) == "object"


def test_what_is_said_is_bounded_and_storable() -> None:
    assert said(ValueError("a\ud800b\0")) == "a?b\N{REPLACEMENT CHARACTER}"
    assert described(ValueError("a\ud800b")) == "ValueError: a?b"
    assert len(described(ValueError(LONG)).encode()) <= TEXT_BYTES
    assert len(said(ValueError(LONG), 100).encode()) <= 100


def test_of_a_secret_that_stands_where_a_text_is_cut_nothing_is_said() -> None:
    secret = f"Very{uuid4().hex}Secret"
    MASKER.remember(secret)
    text = said(ValueError("x" * 90 + secret), 100)
    assert text == "x" * 90 + "***"
