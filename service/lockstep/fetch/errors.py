"""What a call of an HTTP server can end with. No message has more of a URL than its origin.

The path and the query of a URL may be secrets: those of most webhooks are.
"""

from lockstep.model.errors import EngineError, ServerUnfit, Unavailable


class HttpRefused(EngineError):
    """The settings or the rules of safety forbid the call; trying again is useless."""

    code = "http.refused"
    category = "bad_request"
    advice = "Call another address, or allow this one in the section `http` of the settings."


class HttpFailed(Unavailable):
    """No response: no connection, a broken one, or none in time. It may have arrived."""

    code = "http.failed"
    advice = "See that the server in the message runs and is reached from here; try again."


class HttpTooLarge(EngineError):
    """The response is larger than the settings allow; what was asked for has happened."""

    code = "http.too_large"
    advice = "Ask the server for less, or raise the limit in the section `http` of the settings."


class HttpMissing(ServerUnfit):
    """The HTTP client is not installed: it is an extra."""

    code = "http.missing"
    advice = "Install Lockstep with its extra `http`."
