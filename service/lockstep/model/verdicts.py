"""What the bus shall do with a message after the engine has looked at it."""

import msgspec


class Accept(msgspec.Struct, frozen=True):
    """Acknowledge: everything it asks for is committed."""


class Retry(msgspec.Struct, frozen=True):
    """Deliver again after a while: a passing fault."""

    delay_seconds: float


class Terminate(msgspec.Struct, frozen=True):
    """Never deliver again; the reason goes with it."""

    reason: str


Verdict = Accept | Retry | Terminate
