"""What the bus raises beside `Unavailable` and `ServerUnfit`."""

from typing import Final

from lockstep.model.errors import EngineError, ServerUnfit, Unavailable

# JetStream is off, or off for this account: code 503, but no later call will fare better.
DISABLED: Final = frozenset({10039, 10076})
# No leader just now, memory or disk used up: not 503, but gone as soon as someone makes room.
PASSING: Final = frozenset({10009, 10028, 10047})
# The message, or its headers, are larger than the stream takes.
TOO_LARGE: Final = frozenset({10054, 10097})


class MessageTooLarge(EngineError):
    """A message is larger than the server takes; it was not sent. Make it smaller."""

    code = "bus.message_too_large"


class BadMessage(EngineError):
    """A subject or a header that no server would take; the message was not sent."""

    code = "bus.bad_message"


class Refused(ServerUnfit):
    """JetStream refused, and will refuse the same again; `err_code` is the number it gave."""

    code = "bus.refused"

    def __init__(self, message: str, *, err_code: int = 0) -> None:
        super().__init__(message)
        self.err_code = err_code


class RefusedForNow(Unavailable):
    """JetStream refused, but may take the same later; `err_code` is the number it gave."""

    code = "bus.refused_for_now"

    def __init__(self, message: str, *, err_code: int = 0) -> None:
        super().__init__(message)
        self.err_code = err_code


def refusal(what: str, *, code: int, err_code: int, description: str) -> EngineError:
    """Make the error for a refusal of JetStream: `RefusedForNow`, `MessageTooLarge` or `Refused`.

    Source: `server/errors.json` of nats-server 2.15, which has all numbers.
    """
    text = f"{what}: {description or 'refused'} (NATS error {err_code or code})"
    if err_code in TOO_LARGE:
        return MessageTooLarge(text)
    if (code == 503 and err_code not in DISABLED) or err_code in PASSING:
        return RefusedForNow(text, err_code=err_code)
    return Refused(text, err_code=err_code)
