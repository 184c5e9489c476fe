"""The tree of errors: each says what happened, to which thing, and what to do now.

`code` is stable and meant for programs; the message is meant for the operator.
"""

from typing import ClassVar


class EngineError(Exception):
    """Anything that Lockstep raises on purpose."""

    code: ClassVar[str] = "engine"


class SettingError(EngineError):
    """One or more settings are wrong; the message names all of them."""

    code = "setting.invalid"


class Unavailable(EngineError):
    """A server that the engine needs did not answer; the same call may work later."""

    code = "unavailable"


class NobodyAnswers(Unavailable):
    """Nobody listens on a subject: the service that a request is for does not run now."""

    code = "unavailable.nobody"


class ServerUnfit(EngineError):
    """A server answers but is too old, lacks a feature, or is not set up; it needs an operator."""

    code = "server.unfit"


class DataRefused(EngineError):
    """PostgreSQL cannot store a value, such as a text with a zero byte; trying again is useless."""

    code = "store.data_refused"


class RenderError(EngineError):
    """An expression or a template could not be compiled or evaluated."""

    code = "render"

    def __init__(
        self, message: str, *, line: int | None = None, column: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message, self.line, self.column, self.hint = message, line, column, hint


class SyntaxFault(RenderError):
    """The text is no valid expression or template: refused when it is compiled."""

    code = "render.syntax"


class LimitExceeded(RenderError):
    """A template went past its limit of size, nesting or processor time."""

    code = "render.limit"
