"""What becomes of an action, and of a list of them."""

from typing import TypeAlias, assert_never

import msgspec

from lockstep.model.texts import storable


class Ok(msgspec.Struct, frozen=True):
    """It did what it should."""


class Skipped(msgspec.Struct, frozen=True):
    """It was passed over."""

    reason: str

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "reason", storable(self.reason))


class Failed(msgspec.Struct, frozen=True):
    """It did not; its list ends unless it says `continue_on_error`."""

    reason: str

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "reason", storable(self.reason))


class Stopped(msgspec.Struct, frozen=True):
    """The list ends with it, and all lists around it as far as nothing tolerates it.

    `guard`: a false guard. It ends a parallel branch without ending the run.
    """

    reason: str | None
    error: bool = False
    guard: bool = False

    def __post_init__(self) -> None:
        if self.reason is not None:
            msgspec.structs.force_setattr(self, "reason", storable(self.reason))


class Suspended(msgspec.Struct, frozen=True):
    """It waits, and so do the lists around it; the walk comes here again when it is woken."""


class Completed(msgspec.Struct, frozen=True):
    """A list has come to its end."""


Finished: TypeAlias = Ok | Skipped | Failed | Stopped
Outcome: TypeAlias = Finished | Suspended
ListEnd: TypeAlias = Completed | Stopped | Suspended


def of_list(end: ListEnd) -> Outcome:
    """Turn the end of its list into the outcome of a container."""
    match end:
        case Completed():
            return Ok()
        case Suspended():
            return end
        case Stopped(reason, error=True):
            return Failed(reason or "stopped")
        case Stopped():
            return end
        case _:
            assert_never(end)
