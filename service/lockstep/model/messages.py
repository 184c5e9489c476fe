"""A message of the bus, as the engine sees it."""

from collections.abc import Mapping
from typing import Protocol


class Message(Protocol):
    """One delivery of a message from a stream."""

    @property
    def subject(self) -> str:
        """Where it was published."""
        ...

    @property
    def data(self) -> bytes:
        """The body, untouched."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers; empty when it has none."""
        ...

    @property
    def stream(self) -> str:
        """Name of the stream."""
        ...

    @property
    def sequence(self) -> int:
        """Position in the stream, from 1."""
        ...

    @property
    def stored_at_ns(self) -> int:
        """When the stream stored it: nanoseconds since the epoch."""
        ...

    @property
    def deliveries(self) -> int:
        """How often it has been delivered, this time included."""
        ...
