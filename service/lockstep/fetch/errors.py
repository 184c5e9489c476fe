"""What a call of an HTTP server can end with. No message has more of a URL than its origin.

The path and the query of a URL may be secrets: those of most webhooks are.
"""

from lockstep.model.errors import EngineError, ServerUnfit, Unavailable


class HttpRefused(EngineError):
    """The settings or the rules of safety forbid the call; trying again is useless."""

    code = "http.refused"


class HttpFailed(Unavailable):
    """No response: no connection, a broken one, or none in time. It may have arrived."""

    code = "http.failed"


class HttpTooLarge(EngineError):
    """The response is larger than the settings allow; what was asked for has happened."""

    code = "http.too_large"


class HttpMissing(ServerUnfit):
    """The HTTP client is not installed: it is an extra."""

    code = "http.missing"
