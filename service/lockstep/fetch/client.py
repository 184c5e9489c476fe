"""The client of the engine: opened with the first call, closed with the engine."""

from types import TracebackType
from typing import TYPE_CHECKING, Self

from lockstep.fetch.errors import HttpMissing
from lockstep.fetch.settings import HttpSettings
from lockstep.model.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from lockstep.fetch.session import Session


class HttpClient:
    """A `ports.actions.HttpCaller`. Its library is an extra, and loaded by the first call only."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._session: Session | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def call(self, request: HttpRequest) -> HttpResponse:
        """Send a request and read the whole response.

        Raises:
            HttpRefused: The settings forbid it, or it is no request; nothing was sent, or only
                what led to a forbidden redirect.
            HttpFailed: No response, or not within `request.seconds`. It may have arrived.
            HttpTooLarge: The response is larger than the settings allow.
            HttpMissing: The library is not installed.
        """
        return await self._opened().call(request)

    async def close(self) -> None:
        """Close all connections; calls that are under way fail."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> "Session":
        if self._session is None:
            try:
                from lockstep.fetch.session import Session  # noqa: PLC0415 - an extra
            except ModuleNotFoundError as error:
                raise HttpMissing(
                    f"HTTP calls need the extra 'http' ({error.name} is not installed here):"
                    " install Lockstep with it and start the engine again"
                ) from error
            self._session = Session(self._settings)
        return self._session
