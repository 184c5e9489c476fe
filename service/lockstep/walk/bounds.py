"""How large a value may be that a step makes, keeps or sends: what is larger fails the step."""

from typing import Final

import msgspec

from lockstep.model.errors import DataRefused, EngineError
from lockstep.model.runs import Checkpoint
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.run_events import ACTIVE

VALUE_BYTES: Final = 1 << 20  # as much as a rendered value has, and as the scope of a run holds
KEY_BYTES: Final = 4096  # of a context key, an external id: what others look things up by
RUN_SCOPE_BYTES: Final = 4 << 20  # a scope, and the payload of the largest event beside it
STATE_BYTES: Final = 8 << 20  # some full scopes: those of branches and loops are beside each other

_encode = msgspec.json.Encoder().encode


class ValueTooLarge(EngineError):
    """A value of a step is too large to be kept or sent."""

    code = "step.value_too_large"
    category = "bad_request"
    advice = "Keep large values elsewhere and pass a reference: an id, a URL."


class StateTooLarge(DataRefused):
    """What a run would have to keep, to go on later, is too large."""

    code = "run.state_too_large"
    advice = "Keep less in variables, or walk fewer branches at the same time."


def check(field: str, size: int, most: int = VALUE_BYTES) -> None:
    """Refuse a size in bytes.

    Raises:
        ValueTooLarge: It is above `most`.
    """
    if size > most:
        raise ValueTooLarge(f"{field}: {size:,} bytes, at most {most:,} are allowed")


def encoded(field: str, value: Json, most: int = VALUE_BYTES) -> bytes:
    """Give a value as JSON.

    Raises:
        ValueTooLarge: It has more than `most` bytes.
    """
    written = _encode(value)
    check(field, len(written), most)
    return written


def check_state(checkpoint: Checkpoint) -> None:
    """Refuse what a run would have to keep.

    Raises:
        StateTooLarge: It is more than any run may keep.
    """
    size = len(checkpoint.document or b"")
    if size > STATE_BYTES and checkpoint.status in ACTIVE:
        raise StateTooLarge(
            f"the state of the run would have {size:,} bytes, at most {STATE_BYTES:,} are kept: "
            "variables, artifacts and configs of all its branches and loops"
        )


def encoded_parts(field: str, parts: JsonObject) -> bytes:
    """Give an object as JSON; where it is too large as a whole, name the largest of its parts.

    Raises:
        ValueTooLarge: It has more than a value may have.
    """
    written = _encode(parts)
    size = len(written)
    if size > VALUE_BYTES:
        sizes = {name: len(_encode(part)) for name, part in parts.items()}
        largest = max(sizes, key=sizes.__getitem__)
        part = f", of which {field}.{largest} has {sizes[largest]:,}" if len(sizes) > 1 else ""
        name = field if part else f"{field}.{largest}"
        raise ValueTooLarge(f"{name}: {size:,} bytes, at most {VALUE_BYTES:,} are allowed{part}")
    return written
