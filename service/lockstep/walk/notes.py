"""What went into steps and came out of them: noted while a run is walked, for people.

A note is one line of JSON, see `lockstep_schemas.api.StepIo`; the row of its step has them one
behind the other. A line is made final when it is stored, and not before: by then this process knows
the secrets that a call was handed, and what is cut was masked as a whole.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from lockstep.model.secrets import MASKER
from lockstep.model.texts import MARK, said
from lockstep.walk.frames import RootFrame
from lockstep_schemas.api import StepIoKind
from lockstep_schemas.base import Json, JsonObject

STEPS: Final = 64  # a run keeps as much as so many steps may: a loop has ten thousand
FOR_FAILURES: Final = 4  # one part of so many of that is for steps that fail, later on
LEAST: Final = 80  # bytes of a note that says anything
MEMORY_BYTES: Final = 1 << 20  # of what is not stored yet, and not cut
TEXT_PARTS: Final = 8  # a text inside of what is cut has at most one part of so many of the room

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class _Note(NamedTuple):
    what: StepIoKind
    line: bytes
    room: int


class Notes:
    """The notes of one walk since its last checkpoint, and how much of its run is kept already."""

    __slots__ = ("_memory", "_most", "_notes", "_of_step", "_root", "_usual")

    def __init__(self, root: RootFrame, keep_bytes: int) -> None:
        """`keep_bytes`: of each step; 0: nothing is noted."""
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
        begin = _encode({"what": what, **head})[:-1] if head else b'{"what":"%b"' % what.encode()
        line = b'%b,"value":%b}' % (begin, value)
        room = min(self._of_step - kept, limit - of_run)
        if len(line) > room and room < LEAST:
            full = "run" if limit - of_run < LEAST else "step"
            line = _encode({"what": "full", "name": full})
            self._notes.setdefault(seq, []).append(_Note("full", line, len(line)))
            self._root.kept = limit + 1 if full == "run" else of_run
            return self._of_step + 1
        size = min(len(line), room)
        self._notes.setdefault(seq, []).append(_Note(what, line, room))
        self._memory += len(line)
        self._root.kept = of_run + size
        return kept + size

    def take(self) -> Mapping[int, bytes]:
        """Hand over all notes, by the seq of their steps, as they are stored."""
        taken = {
            seq: b"".join([_final(one) for one in notes]) for seq, notes in self._notes.items()
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


def _final(note: _Note) -> bytes:
    """Mask a note, then cut it."""
    line = MASKER.raw(note.line)
    if line == note.line and len(line) <= note.room:
        return line + b"\n"
    try:
        entry: JsonObject = _decode(line)
    except (msgspec.DecodeError, RecursionError):  # a secret had a part in the signs of JSON
        entry = {"what": note.what, "value": line.decode("utf-8", "replace")}
    if len(line) > note.room:
        return _cut(entry, len(line), note.room) + b"\n"
    return _encode(entry) + b"\n"


def _cut(entry: JsonObject, size: int, room: int) -> bytes:
    """Give the beginning of a note: its texts are cut; if that is not enough, its JSON is."""
    value = entry["value"]
    entry = {**entry, "bytes": size, "value": _shortened(value, room // TEXT_PARTS)}
    line = _encode(entry)
    text = value if isinstance(value, str) else _encode(value).decode()
    most = room
    while len(line) > room and most > 0:
        most = min(most - 1, most * room // len(line))
        line = _encode({**entry, "value": text[:most] + MARK})
    return line


def _shortened(value: Json, most: int) -> Json:
    if isinstance(value, str):
        return value if len(value) <= most else value[:most] + MARK
    if isinstance(value, dict):
        return {name: _shortened(inner, most) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner, most) for inner in value]
    return value
