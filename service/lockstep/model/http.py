"""One call of an HTTP server: what is asked, and what came back."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class HttpRequest(NamedTuple):
    """What is asked; `seconds` is the limit of everything, from the look-up to the last byte."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    seconds: float


class HttpResponse(NamedTuple):
    """What came back, decompressed. Of an error only the beginning of the body is kept."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Give the first value of a header, in whatever case it is written."""
        return next((value for one, value in self.headers if one.lower() == name.lower()), None)
