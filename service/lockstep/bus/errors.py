"""What the bus raises beside `Unavailable` and `ServerUnfit`."""

from collections.abc import Mapping
from typing import Final

from lockstep.model.errors import BusUnavailable, EngineError, ServerUnfit

# What passes by itself, or as soon as someone makes room, beside all that has the code 503.
PASSING: Final[Mapping[int, str]] = {
    10002: "the account has used up its memory, its storage or its streams",
    10005: "too few servers are up to place a stream on",
    10007: "the stream has no server yet",
    10009: "the server is not the leader, or there is none just now",
    10028: "the server has used up its memory",
    10041: "no quorum",
    10047: "the server has used up its storage",
    10096: "the stream is being closed",
    10104: "the group cannot be stored just now",
    10118: "the stream is offline",
    10119: "the group is offline",
    10158: "a message of this id is being stored",
    10167: "too many requests",
}
# Code 503, but no later call will fare better: JetStream, or clustering, is off or not for us.
LASTING: Final = frozenset({10010, 10036, 10039, 10063, 10076})
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


class EventsUnknown(BusUnavailable):
    """Which events are not handled yet cannot be told: nothing expires that one could change."""

    code = "bus.events_unknown"
    advice = (
        "Nothing is lost, it expires as soon as the stream of events can be asked; if it lasts, "
        "give the user of the engine the right in the message: `lockstep doctor` names all."
    )


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
    if (code == 503 and err_code not in LASTING) or err_code in PASSING:
        return RefusedForNow(text, err_code=err_code)
    return JetStreamRefused(text, err_code=err_code)
