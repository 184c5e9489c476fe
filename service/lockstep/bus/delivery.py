"""One delivery of a message of a stream, light enough for fifty thousand a second."""

from collections.abc import Mapping
from typing import Final

from lockstep.bus import headers

ACK: Final = b"+ACK"
NAK: Final = b"-NAK"
TERM: Final = b"+TERM"
PROGRESS: Final = b"+WPI"

_PREFIX: Final = b"$JS.ACK."
_TOKENS: Final = 9  # $JS.ACK, stream, consumer, deliveries, two sequences, time, pending
_TOKENS_WITH_DOMAIN: Final = 11  # domain and account too, behind $JS.ACK; more may follow


class Delivery:
    """A message, its place in the stream, and where its acknowledgement goes.

    Is a `model.messages.Message`. The headers are read when they are first asked for.
    """

    __slots__ = (
        "_head",
        "_headers",
        "consumer",
        "data",
        "deliveries",
        "pending",
        "reply",
        "seen_at",
        "sequence",
        "size",
        "stored_at_ns",
        "stream",
        "subject",
    )

    def __init__(self, subject: bytes, reply: bytes, head: bytes, data: bytes) -> None:
        """Take apart `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>...`.

        Source: ADR-15 of the NATS architecture records.

        Raises:
            ValueError: `reply` is none of those.
        """
        words = reply.split(b".")
        at = 2 if len(words) == _TOKENS else 4
        if not reply.startswith(_PREFIX) or (at == 4 and len(words) < _TOKENS_WITH_DOMAIN):
            raise ValueError(f"{reply!r} is no subject of an acknowledgement")
        self.subject: str = subject.decode("utf-8", "replace")
        self.data = data
        self.reply: str = reply.decode()
        self.stream: str = words[at].decode()
        self.consumer: str = words[at + 1].decode()
        self.deliveries = int(words[at + 2])
        self.sequence = int(words[at + 3])
        self.stored_at_ns = int(words[at + 5])
        self.pending = int(words[at + 6])
        self.size = len(head) + len(data)
        self.seen_at = 0.0
        self._head = head
        self._headers: Mapping[str, str] | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers; empty when it has none."""
        if self._headers is None:
            self._headers = headers.unpack(self._head)
        return self._headers

    def __repr__(self) -> str:
        return f"<{self.stream}:{self.sequence} {self.subject}, delivery {self.deliveries}>"


def is_delivery(reply: bytes) -> bool:
    """Tell a message of the stream from a status of the server, which has no reply subject.

    Not by the status in the headers: a publisher can send one too.
    """
    return reply.startswith(_PREFIX)
