"""What actions may ask of the engine. Plug-ins import these from `lockstep.catalog`."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from lockstep.model.child_runs import Child, ChildWanted
from lockstep.model.http import HttpRequest, HttpResponse
from lockstep.model.messages import Reply


class Asker(Protocol):
    """Asks services on the bus."""

    async def ask(
        self, subject: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> Reply:
        """Publish a request and wait for the first answer.

        Raises:
            NobodyAnswers: Nobody listens on the subject now.
            Unavailable: No answer within `seconds`, or the connection broke; it may have arrived.
            EngineError: It cannot be sent: too large, or a subject or header that is none.
        """
        ...


class Messages(Protocol):
    """Publishes what an action says: to a stream, or to whoever listens now."""

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Store one message; false when the stream already held one of this id (`Nats-Msg-Id`).

        Raises:
            Unavailable: No acknowledgement within the time limit, or no stream takes the subject.
            EngineError: It cannot be sent, or the stream will never take it.
        """
        ...

    async def send(self, subject: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send one message that nobody acknowledges, once the server has taken it.

        Raises:
            Unavailable: There is no connection, or it broke, or we may not publish there.
            EngineError: It cannot be sent.
        """
        ...


class Children(Protocol):
    """Starts runs that steps of other runs ask for."""

    async def start(self, wanted: ChildWanted) -> Child:
        """Start it, once for each step; give the one that is there already.

        Raises:
            DefinitionUnreadable: This replica cannot compile the automation; another one may.
            ChildRefused: There is no such automation, or it is disabled, or the payload is wrong.
            Unavailable: The store is away.
        """
        ...


class Secrets(Protocol):
    """Resolves secrets, each time anew: they change, and nothing keeps them."""

    async def resolve(
        self, names: Sequence[str], run_id: str, automation_id: str
    ) -> Mapping[str, str]:
        """Give the values; from now on they are masked in all that this process writes.

        Raises:
            SecretRefused: One is not known, or cannot be asked for now; the message names it.
        """
        ...


class HttpCaller(Protocol):
    """Calls HTTP servers, as far as the settings allow."""

    async def call(self, request: HttpRequest) -> HttpResponse:
        """Send a request and read the whole response, whatever its status.

        Raises:
            Unavailable: No response, or not in time; it may have arrived.
            EngineError: It may not be sent, cannot be sent, or the response is too large.
        """
        ...
