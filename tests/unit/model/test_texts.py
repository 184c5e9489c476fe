"""Texts for people are bounded where they are made, and so is a run event, whatever it tells."""

import msgspec
import pytest

from lockstep.model.run_events import EVENT_BYTES, run_event
from lockstep.model.runs import Ending
from lockstep.model.texts import TEXT_BYTES, storable
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
