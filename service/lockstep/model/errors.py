"""The tree of errors: each says what happened, to which thing, and what to do now.

`code` is stable and meant for programs; the message is meant for the operator. Both are in error
replies of the API, in `--json` of the command line and in log lines; `docs/ERRORS.md` has all.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:
    from lockstep_schemas.api import Issue  # `lockstep --help` needs none of it

Category: TypeAlias = Literal["bad_request", "not_found", "conflict", "internal", "busy"]
"""What an error is to whoever asked: his, that of the engine, or one that passes (`busy`)."""


class EngineError(Exception):
    """A thing that Lockstep refuses on purpose and has no code of its own for."""

    code: ClassVar[str] = "engine.failed"
    category: ClassVar[Category] = "internal"
    advice: ClassVar[str] = "Do what the message says."
    """What to do now; for the table of codes."""

    issues: "Sequence[Issue]" = ()
    """The places that are wrong, where the error is about a document."""


class InternalError(EngineError):
    """Something happened that nobody has thought of: a fault of Lockstep or of its installation."""

    code = "engine.internal"
    advice = "Look for `request.failed` in the log of the engine, and report what it says."


class SettingError(EngineError):
    """One or more settings are wrong; the message names all of them."""

    code = "setting.invalid"
    category = "bad_request"
    advice = "Correct the settings; `lockstep config` shows where each comes from."


class Unavailable(EngineError):
    """A server that the engine needs did not answer; the same call may work later."""

    code = "server.unavailable"
    category = "busy"
    advice = "Try again; if it lasts, see that the server in the message runs: `lockstep doctor`."


class StoreUnavailable(Unavailable):
    """PostgreSQL did not answer, or refused the connection; the same call may work later."""

    code = "store.unavailable"
    advice = "Try again; if it lasts, see that PostgreSQL runs and lets us in: `lockstep doctor`."


class StoreTooSlow(StoreUnavailable):
    """PostgreSQL ended a statement that took too long; of less at once it may be in time."""

    code = "store.too_slow"
    advice = "Try again; if it lasts, see what holds PostgreSQL up: locks, its disk, its load."


class StoreInDoubt(StoreUnavailable):
    """PostgreSQL broke off while it committed, and could not be asked: it may have been done."""

    code = "store.in_doubt"
    advice = (
        "See whether it was done before you ask again: `lockstep runs list`, "
        "`lockstep automations list`."
    )


def is_away(error: BaseException) -> bool:
    """Say whether a server is away: then nothing else goes either.

    One statement that takes too long says that of itself alone.
    """
    return isinstance(error, Unavailable) and not isinstance(error, StoreTooSlow)


class BusUnavailable(Unavailable):
    """NATS did not answer, or the connection to it broke; the same call may work later."""

    code = "bus.unavailable"
    advice = "Try again; if it lasts, see that NATS runs and lets us in: `lockstep doctor`."


class NobodyAnswers(BusUnavailable):
    """Nobody listens on a subject: the service that a request is for does not run now."""

    code = "server.nobody_answers"
    advice = "Start the service that answers on the subject in the message."


class ServerUnfit(EngineError):
    """A server answers but is too old, lacks a feature, or is not set up; it needs an operator."""

    code = "server.unfit"
    advice = "Do what the message says; `lockstep doctor` looks at both servers."


class DataRefused(EngineError):
    """PostgreSQL cannot store a value, such as a text with a zero byte; trying again is useless."""

    code = "store.data_refused"
    category = "bad_request"
    advice = "Send the value without what PostgreSQL cannot store."


class RenderError(EngineError):
    """An expression or a template could not be compiled or evaluated."""

    code = "render.failed"
    category = "bad_request"
    advice = "Correct the expression, or see that what it reads is there when it is evaluated."

    def __init__(
        self, message: str, *, line: int | None = None, column: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message, self.line, self.column, self.hint = message, line, column, hint


class SyntaxFault(RenderError):
    """The text is no valid expression or template: refused when it is compiled."""

    code = "render.syntax"
    advice = "Correct the text at the line and column that are named."


class LimitExceeded(RenderError):
    """A template went past its limit of size, nesting or processor time."""

    code = "render.limit"
    advice = "Make it smaller: split the template, or hand it less data."
