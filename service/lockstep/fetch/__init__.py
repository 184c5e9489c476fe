"""The way out to HTTP servers: what may be called, and the client that calls it."""

from lockstep.fetch.client import HttpClient
from lockstep.fetch.errors import HttpFailed, HttpMissing, HttpRefused, HttpTooLarge
from lockstep.fetch.settings import HttpSettings

__all__ = [
    "HttpClient",
    "HttpFailed",
    "HttpMissing",
    "HttpRefused",
    "HttpSettings",
    "HttpTooLarge",
]
