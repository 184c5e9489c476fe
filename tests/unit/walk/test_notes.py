"""Notes of what steps did: bounded for a step and for a run, masked before they are cut."""

import json
from typing import Any

import msgspec
import pytest

from lockstep.model.secrets import MASKER, Masker
from lockstep.walk.frames import FrameFormat, RootFrame
from lockstep.walk.notes import STEPS, Notes, written
from lockstep_schemas.api import StepIo

KEEP = 400
WORD = 'notehunter2 "and" more'


def lines(body: bytes) -> list[dict[str, Any]]:
    """Read what is kept, each line as the API has it."""
    found = [json.loads(line) for line in body.splitlines()]
    for one in found:
        msgspec.convert(one, StepIo)
    return found


def remembering(word: str) -> Masker:
    """Make a masker of its own: others must not have masked what a test remembers."""
    made = Masker()
    made.remember(word)
    return made


def one_note(
    value: object, keep: int = KEEP, masker: Masker = MASKER
) -> tuple[bytes, dict[str, Any]]:
    notes = Notes(RootFrame(), keep, masker)
    notes.add(1, 0, "config", written(value))
    body = notes.take()[1]
    (line,) = lines(body)
    return body, line


@pytest.mark.parametrize(
    "value", [{"a": [1, None, True, 1.5]}, "text\nof \0 lines\r", [], 10**40, {"é\0": "\u2028"}]
)
def test_what_fits_is_kept_as_it_is(value: object) -> None:
    assert one_note(value)[1] == {"what": "config", "value": value}


def test_what_json_cannot_hold_says_what_it_is() -> None:
    class Odd:
        def __str__(self) -> str:
            return "an odd one"

    assert one_note(Odd())[1]["value"] == "an odd one"
    assert one_note({"a": "\ud800"})[1]["value"] == "{'a': '\\ud800'}"


@pytest.mark.parametrize(
    "value",
    [
        {"url": "https://there", "body": "x" * 5000, "headers": {"a": "y" * 900}},
        [{"n": n} for n in range(1000)],
        'é"\\' * 4000,
        {f"name {n}": n for n in range(500)},
        "\N{GRINNING FACE}" * 3000,
    ],
)
def test_what_is_too_long_is_cut_with_a_mark(value: object) -> None:
    body, line = one_note(value)
    assert len(body) <= KEEP + 1
    assert line["bytes"] > KEEP
    assert "…" in body.decode()


def test_short_parts_stay_beside_a_long_one_that_is_cut() -> None:
    _, line = one_note({"body": "x" * 5000, "url": "https://there"})
    assert line["value"]["url"] == "https://there"
    assert line["value"]["body"].endswith("x…")


def test_a_secret_is_masked_before_it_is_cut() -> None:
    MASKER.remember(WORD)
    for before in range(KEEP - 60, KEEP + 20):
        body, _ = one_note("a" * before + WORD + "b" * 500, keep=KEEP)
        assert b"notehunter2" not in body
        assert "notehunter2" not in str(lines(body))


def test_a_secret_that_becomes_known_after_the_note_is_masked() -> None:
    notes = Notes(RootFrame(), KEEP)
    notes.add(1, 0, "config", written({"token": WORD, WORD: 1}))
    MASKER.remember(WORD)
    (line,) = lines(notes.take()[1])
    assert line["value"] == {"token": "***", "***": 1}


def test_a_secret_with_signs_of_json_leaves_what_can_be_read() -> None:
    MASKER.remember("918273645091827")
    MASKER.remember('qhere","qthere')
    body, line = one_note({"number": 918273645091827, "list": ["qhere", "qthere"]})
    assert b"918273645091827" not in body
    assert line["what"] == "config"
    assert "number" in line["value"]


@pytest.mark.parametrize("word", ["value", "what", "config", "true", "4711", "null", "bytes"])
@pytest.mark.parametrize("length", [1, 5000])
def test_a_secret_that_is_a_word_of_the_line_leaves_it_readable(word: str, length: int) -> None:
    masker = remembering(word)
    value = {"token": word, "flag": True, "none": None, "n": 4711, "long": "x" * length}
    body, line = one_note(value, masker=masker)
    assert line["what"] == "config"
    assert f'"token":"{word}"' not in body.decode().replace("\\", "")
    notes, kept = Notes(RootFrame(), KEEP, masker), 0
    for _ in range(20):
        kept = notes.add(1, kept, "error", written("x" * length))
    assert lines(notes.take()[1])[-1] == {"what": "full", "name": "step"}


@pytest.mark.parametrize(
    "word",
    [
        'note"hunter\\3',
        "-----BEGIN X-----\nnotehunter3\r\nMIIabc==\n",
        "\\\\notehunter3\\é\u2028日",
    ],
)
def test_a_secret_in_json_inside_of_json_is_masked(word: str) -> None:
    masker = remembering(word)
    value: object = {"k": word, "é": [word]}
    for _ in range(3):
        value = {"body": json.dumps(value, ensure_ascii=len(str(value)) % 2 == 0)}
        body, _ = one_note(value, 8000, masker)
        assert b"hunter" not in body
        assert b"***" in body


def test_a_step_has_so_many_bytes_and_says_once_that_there_was_more() -> None:
    root, kept = RootFrame(), 0
    notes = Notes(root, KEEP)
    found = []
    for number in range(100):  # as attempts do: each is stored before the next
        kept = notes.add(1, kept, "error", written("wrong"), {"attempt": number})
        found += lines(b"".join(notes.take().values()))
    assert [one["attempt"] for one in found[:-1]] == list(range(len(found) - 1))
    assert found[-1] == {"what": "full", "name": "step"}
    assert len(b"".join(json.dumps(one).encode() for one in found)) < 1.5 * KEEP
    assert notes.has_room(0)


def test_a_run_has_so_many_bytes_and_the_first_step_without_room_says_so() -> None:
    root = RootFrame()
    found = {}
    for seq in range(1, 10_001):
        notes = Notes(root, KEEP)  # as after each sleep
        notes.add(seq, 0, "config", written("x" * 100))
        found.update(notes.take())
        root = FrameFormat().decode(FrameFormat().encode(root))
    assert sum(map(len, found.values())) <= STEPS * KEEP
    last = lines(found[max(found)])
    assert last[-1] == {"what": "full", "name": "run"}
    assert sum(b'"full"' in body for body in found.values()) == 1


def test_a_step_that_fails_after_ten_thousand_others_has_room() -> None:
    root = RootFrame()
    notes = Notes(root, KEEP)
    for seq in range(1, 10_001):
        notes.add(seq, 0, "config", written("x" * 100))
    assert not notes.has_room(0)
    assert notes.add(10_001, 0, "config", written("why"), has_failed=True)
    assert lines(notes.take()[10_001]) == [{"what": "config", "value": "why"}]
    for seq in range(10_002, 20_000):
        notes.add(seq, 0, "error", written("x" * 100), has_failed=True)
    assert (root.kept or 0) <= STEPS * KEEP + 1


def test_nothing_is_noted_and_the_frames_stay_as_they_were_where_it_is_turned_off() -> None:
    root = RootFrame()
    notes = Notes(root, 0)
    assert not notes.has_room(0, has_failed=True)
    assert notes.add(1, 0, "config", b"1") == 0
    assert not notes.take()
    assert b'"io"' not in FrameFormat().encode(root)


def test_large_values_ask_to_be_stored_before_there_are_many() -> None:
    notes = Notes(RootFrame(), KEEP)
    notes.add(1, 0, "config", written("x" * 2_000_000))
    assert notes.is_full
    notes.take()
    assert not notes.is_full
