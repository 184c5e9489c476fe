"""What went into steps and came out of them: noted while a run is walked, for people.

A note is one line of JSON, see `lockstep_schemas.api.StepIo`; the row of its step has them one
behind the other. A line is made final when it is stored, and not before: by then this process knows
the secrets that a call was handed, and what is cut was masked as a whole.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from lockstep.model.secrets import MASKER, Masker
from lockstep.model.texts import MARK, said
from lockstep.walk.frames import RootFrame
from lockstep_schemas.api import StepIoKind
from lockstep_schemas.base import Json, JsonObject

STEPS: Final = 64  # a run keeps as much as so many steps may: a loop has ten thousand
FOR_FAILURES: Final = 4  # one part of so many of that is for steps that fail, later on
LEAST: Final = 80  # bytes of a note that says anything
MEMORY_BYTES: Final = 1 << 20  # of what is not stored yet, and not cut
TEXT_PARTS: Final = 8  # a text inside of what is cut has at most one part of so many of the room

BETWEEN: Final = b',"value":'
END: Final = b"}"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class _Note(NamedTuple):
    """A line whose value stands apart: it alone comes from others, so it alone is masked."""

    begin: bytes
    value: bytes | None
    room: int


class Notes:
    """The notes of one walk since its last checkpoint, and how much of its run is kept already."""

    __slots__ = ("_masker", "_memory", "_most", "_notes", "_of_step", "_root", "_usual")

    def __init__(self, root: RootFrame, keep_bytes: int, masker: Masker = MASKER) -> None:
        """`keep_bytes`: of each step; 0: nothing is noted."""
        self._masker = masker
        self._root, self._of_step, self._most = root, keep_bytes, STEPS * keep_bytes
        self._usual = self._most - self._most // FOR_FAILURES
        self._notes: dict[int, list[_Note]] = {}
        self._memory = 0

    def has_room(self, kept: int, *, has_failed: bool = False) -> bool:
        """Say whether anything more is kept of a step that has so many bytes."""
        limit = self._most if has_failed else self._usual
        return 0 < self._of_step >= kept and (self._root.kept or 0) <= limit

    @property
    def is_full(self) -> bool:
        """Whether they should be stored now, to keep memory bounded."""
        return self._memory > MEMORY_BYTES

    def add(
        self,
        seq: int,
        kept: int,
        what: StepIoKind,
        value: bytes,
        head: JsonObject | None = None,
        *,
        has_failed: bool = False,
    ) -> int:
        """Note a value, as JSON, of a step that has `kept` bytes; give those that it has then.

        A step that has no room for more says so once; where its run has none, the first such step.
        """
        if not self.has_room(kept, has_failed=has_failed):
            return kept
        limit, of_run = self._most if has_failed else self._usual, self._root.kept or 0
        room = min(self._of_step - kept, limit - of_run)
        note = _Note(_begin({"what": what, **(head or {})}), value, room)
        length = len(note.begin) + len(value) + len(BETWEEN) + len(END)
        if length > room and room < LEAST:
            full = "run" if limit - of_run < LEAST else "step"
            note = _Note(_begin({"what": "full", "name": full}), None, room)
            self._notes.setdefault(seq, []).append(note)
            self._root.kept = limit + 1 if full == "run" else of_run
            return self._of_step + 1
        size = min(length, room)
        self._notes.setdefault(seq, []).append(note)
        self._memory += length
        self._root.kept = of_run + size
        return kept + size

    def take(self) -> Mapping[int, bytes]:
        """Hand over all notes, by the seq of their steps, as they are stored."""
        taken = {
            seq: b"".join([_final(one, self._masker) for one in notes])
            for seq, notes in self._notes.items()
        }
        self.forget()
        return taken

    def forget(self) -> None:
        """Drop what is not stored."""
        self._notes, self._memory = {}, 0


def written(value: Json) -> bytes:
    """Give a value as JSON; of what JSON cannot hold, what it says of itself."""
    try:
        return _encode(value)
    except Exception:  # noqa: BLE001 - code of plug-ins: a value may be of any type
        return _encode(said(value))


def _begin(head: JsonObject) -> bytes:
    return _encode(head)[: -len(END)]


def _line(begin: bytes, value: bytes | None) -> bytes:
    return begin + END if value is None else begin + BETWEEN + value + END


def _final(note: _Note, masker: Masker) -> bytes:
    """Mask the value of a note, then cut it."""
    value = note.value
    if value is not None:
        masked = masker.raw(value)
        value = masked if masked == value or _is_json(masked) else _encode(_text(masked))
    line = _line(note.begin, value)
    if value is None or len(line) <= note.room:
        return line + b"\n"
    return _cut(note.begin, value, note.room) + b"\n"


def _is_json(body: bytes) -> bool:
    """Say whether what was masked can be read; where a secret was no text, or more, it cannot."""
    try:
        _decode(body)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _cut(begin: bytes, written: bytes, room: int) -> bytes:
    """Give the beginning of a note: its texts are cut; if that is not enough, its JSON is."""
    begin += b',"bytes":%d' % len(_line(begin, written))
    text = _text(written)
    try:
        value = _decode(written)
        line = _line(begin, _encode(_shortened(value, room // TEXT_PARTS)))
        text = value if isinstance(value, str) else text
    except RecursionError:
        line = _line(begin, written)
    most = room
    while len(line) > room and most > 0:
        most = min(most - 1, most * room // len(line))
        line = _line(begin, _encode(text[:most] + MARK))
    return line


def _shortened(value: Json, most: int) -> Json:
    if isinstance(value, str):
        return value if len(value) <= most else value[:most] + MARK
    if isinstance(value, dict):
        return {name: _shortened(inner, most) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner, most) for inner in value]
    return value
