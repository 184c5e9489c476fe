"""What the bus raises beside `Unavailable` and `ServerUnfit`."""

from typing import Final

from lockstep.model.errors import BusUnavailable, EngineError, ServerUnfit

# JetStream is off, or off for this account: code 503, but no later call will fare better.
DISABLED: Final = frozenset({10039, 10076})
# No leader just now, memory or disk used up: not 503, but gone as soon as someone makes room.
PASSING: Final = frozenset({10009, 10028, 10047})
# The message, or its headers, are larger than the stream takes.
TOO_LARGE: Final = frozenset({10054, 10097})


class MessageTooLarge(EngineError):
    """A message is larger than the server takes; it was not sent."""

    code = "bus.message_too_large"
    category = "bad_request"
    advice = "Make the message smaller, or let NATS take larger ones: `max_payload`."


class BadMessage(EngineError):
    """A subject or a header that no server would take; the message was not sent."""

    code = "bus.bad_message"
    category = "bad_request"
    advice = "Correct the subject or the header that is named."


class Overloaded(BusUnavailable):
    """More requests wait than the engine takes; this one was not begun."""

    code = "api.overloaded"
    advice = "Try again in a moment; start more replicas if it happens often."


class Stopping(BusUnavailable):
    """The engine stops; what the request asks for may have been done, or not."""

    code = "api.stopping"
    advice = "Ask again: another replica answers, or this one once it is started again."


class TookTooLong(BusUnavailable):
    """A request was ended because it took too long; what it asks for may have been done, or not."""

    code = "api.timeout"
    advice = "See what became of it, then ask again; `lockstep doctor` looks at the servers."


class RequestTooLarge(EngineError):
    """A request is larger than the engine takes; nothing of it was read."""

    code = "api.request_too_large"
    category = "bad_request"
    advice = "Send less at once."


class ReplyTooLarge(EngineError):
    """A reply is larger than the server takes; what the request asks for was done."""

    code = "api.reply_too_large"
    advice = "Ask for less: a smaller page, or one thing."


class JetStreamRefused(ServerUnfit):
    """JetStream refused, and will refuse the same again; `err_code` is the number it gave."""

    code = "bus.refused"
    advice = "Look up the NATS error that is named; `lockstep doctor` looks at the streams."

    def __init__(self, message: str, *, err_code: int = 0) -> None:
        super().__init__(message)
        self.err_code = err_code


class RefusedForNow(BusUnavailable):
    """JetStream refused, but may take the same later; `err_code` is the number it gave."""

    code = "bus.refused_for_now"
    advice = (
        "Try again; if it lasts, see whether JetStream has room and a leader: `lockstep doctor`."
    )

    def __init__(self, message: str, *, err_code: int = 0) -> None:
        super().__init__(message)
        self.err_code = err_code


def refusal(what: str, *, code: int, err_code: int, description: str) -> EngineError:
    """Make the error for a refusal: `RefusedForNow`, `MessageTooLarge` or `JetStreamRefused`.

    Source: `server/errors.json` of nats-server 2.15, which has all numbers.
    """
    text = f"{what}: {description or 'refused'} (NATS error {err_code or code})"
    if err_code in TOO_LARGE:
        return MessageTooLarge(text)
    if (code == 503 and err_code not in DISABLED) or err_code in PASSING:
        return RefusedForNow(text, err_code=err_code)
    return JetStreamRefused(text, err_code=err_code)
