"""The client of nats-py, made to stand what strangers can publish.

nats-py 2.16 reads a message with regular expressions and decodes it in its read loop. A subject
that is no UTF-8 or has a vertical tab, or a header block of one byte, all of which a server takes
and delivers, ends that loop or the connection, again at each redelivery: one bad event would stop
every replica. So the reading of the protocol is our own; it also hands a message to its reader at
once, without a queue and a task per subscription (3x the speed). `tests/bus/test_wire.py` has all
of it, so that a new nats-py that moves something under us is noticed.
"""

import asyncio
import json
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import structlog
from nats.aio.client import Client, Srv
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import ProtocolError
from nats.protocol import parser

log = structlog.get_logger()

Reader = Callable[[bytes, bytes, bytes, bytes], None]
"""Takes subject, reply subject, header block and body; called in the read loop, must be quick."""

MAX_PENDING_BYTES: Final = 2 * 1024 * 1024
"""What may wait to be sent, as nats-py has it; more only after some of it has gone."""

# INFO of a large cluster has some KiB; what is longer is no NATS.
_MAX_CONTROL_LINE: Final = 1024 * 1024
_MAX_LINE: Final = 4096  # of one that we send: as the server has it by default
_WAIT_SECONDS: Final = (0.2, 0.4)  # between two attempts to reconnect: spreads the replicas
_LONGEST_WAIT_SECONDS: Final = 5.0  # after doubling, to a server that refuses us
_CRLF: Final = b"\r\n"
_PING: Final = b"PING\r\n"


class Parser(parser.Parser):
    """Takes the protocol apart: control lines, and messages of which all bytes have come."""

    def __init__(self, wire: "Wire") -> None:
        self.wire = wire
        super().__init__(wire)

    def reset(self) -> None:
        """Forget what has been read of an unfinished message: the connection is a new one."""
        self.chunks: list[bytes] = []
        self.have = self.need = 0
        self.resets = getattr(self, "resets", 0) + 1

    async def parse(self, data: bytes = b"") -> None:
        """Handle all that is complete with `data`; keep the rest for the next time."""
        if self.chunks:
            self.chunks.append(data)
            self.have += len(data)
            if self.have < self.need:
                return
            data = b"".join(self.chunks)
            self.chunks = []
        at, resets = 0, self.resets
        while at < len(data) and resets == self.resets:
            line_end = data.find(_CRLF, at)
            if line_end < 0:
                if len(data) - at > _MAX_CONTROL_LINE:
                    raise ProtocolError
                self._keep(data[at:], 0)
                return
            if data.startswith(b"MSG ", at):
                following = self._message(data, data[at + 4 : line_end], line_end + 2, False)
            elif data.startswith(b"HMSG ", at):
                following = self._message(data, data[at + 5 : line_end], line_end + 2, True)
            else:
                await self.wire.control(data[at:line_end])
                following = line_end + 2
            if following < 0:
                self._keep(data[at:], -following - at)
                return
            at = following

    def _keep(self, rest: bytes, need: int) -> None:
        self.chunks, self.have, self.need = [rest], len(rest), need

    def _message(self, data: bytes, line: bytes, start: int, headed: bool) -> int:
        """Hand on the message whose control line is `line`.

        Returns:
            Where the next one begins, or, negative, up to where bytes are missing.
        """
        # Exactly one space between the fields: a subject may hold any other white space.
        fields = line.split(b" ")
        try:
            size = int(fields[-1])
            head = int(fields[-2]) if headed else 0
            sid = int(fields[1])
            reply = fields[2] if len(fields) > 3 + headed else b""
        except (ValueError, IndexError):
            raise ProtocolError from None
        end = start + size
        if len(data) < end + 2:
            return -(end + 2)
        self.wire.deliver(
            sid, fields[0], reply, data[start : start + head], data[start + head : end]
        )
        return end + 2


class Wire(Client):
    """A client whose read loop outlives any message, and that no error of the server closes."""

    def __init__(self, fresh: Callable[[], Mapping[str, Any]] = dict) -> None:
        """`fresh` gives credentials and certificates as they are at each later attempt."""
        super().__init__()
        self._fresh = fresh
        self._ps = Parser(self)
        self._readers: dict[int, Reader] = {}
        self.asking = b""
        """How the reply subjects of requests begin: who asked has been told when they break."""

    async def _process_connect_init(self) -> None:
        """Begin a connection with nothing left of the one before, but what waits to be sent.

        Requests do not: who asked was told that they are lost, and may have asked again since.
        """
        self._ps.reset()
        self._pending = [frame for frame in self._pending if not self._is_over(frame)]
        self._pending_data_size = sum(map(len, self._pending))
        try:
            await super()._process_connect_init()
        except NatsError:
            wait = self.options["reconnect_time_wait"]  # refused: later and later
            self.options["reconnect_time_wait"] = min(2 * wait, _LONGEST_WAIT_SECONDS)
            raise
        self.options["reconnect_time_wait"] = random.uniform(*_WAIT_SECONDS)  # noqa: S311 - spreads

    def _is_over(self, frame: bytes) -> bool:
        return frame is _PING or (bool(self.asking) and self.asking in frame[:_MAX_LINE])

    async def _process_err(self, err_msg: str) -> None:
        """Connect anew after an error of the server; nats-py would be closed for good.

        Credentials that have expired may have been renewed, and a message that the server has cut
        us off for is gone. What is only not allowed leaves the connection as it is.
        """
        error = NatsError(f"nats: {err_msg.strip(chr(39))}")
        if "permissions violation" in err_msg:
            self._err = error
            await self._error_cb(error)
        else:
            if not self.is_reconnecting:
                await self._error_cb(error)
            await self._process_op_err(error)

    def _connect_command(self) -> bytes:
        """Say who we are; credentials that are just being written are an error that passes."""
        try:
            return super()._connect_command()
        except (NatsError, OSError):
            raise
        except Exception as error:
            raise NatsError(f"nats: the credentials cannot be used: {error}") from error

    async def _attempt_reconnect(self) -> None:
        """Reconnect without the old socket: nats-py waits until its last bytes are taken.

        Half-open, nobody takes them, and that wait ends with the patience of the kernel.
        """
        self._drop_socket()
        await super()._attempt_reconnect()

    async def _connect_to_server(self, s: Srv) -> None:
        """Connect, as who we are now; nats-py forgets to close a socket whose server refused us."""
        self._drop_socket()
        self.options.update(self._fresh())
        if self._nkeys_seed is not None:
            self._setup_nkeys_connect()  # it takes the public key once
        await super()._connect_to_server(s)

    def kick(self) -> None:
        """Begin to reconnect anew: nats-py can hang in it, or have lost it."""
        if self._reconnection_task is not None:
            self._reconnection_task.cancel()
        self._status = Client.RECONNECTING
        attempt = self._attempt_reconnect()
        self._reconnection_task = asyncio.get_running_loop().create_task(attempt)

    def _drop_socket(self) -> None:
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()

    async def control(self, line: bytes) -> None:
        """Handle a line of the protocol that is no message."""
        if line == b"PING":
            await self._process_ping()
        elif line == b"PONG":
            await self._process_pong()
        elif line.startswith(b"INFO "):
            await self._process_info(json.loads(line[5:]))
        elif line.startswith(b"-ERR"):
            await self._process_err(line[4:].strip().decode("utf-8", "replace").lower())
        elif line != b"+OK":
            raise ProtocolError

    async def _send_ping(self, future: asyncio.Future[Any] | None = None) -> None:
        """Ping behind what waits to be sent; nats-py pings before it, so a flush proves nothing."""
        self._pongs.append(future or asyncio.get_running_loop().create_future())
        self._pending.append(_PING)
        self._pending_data_size += len(_PING)
        await self._flush_pending()

    async def _process_pong(self) -> None:
        """Wake who waits for it; nats-py's own fails when he has given up meanwhile."""
        if self._pongs:
            waiting = self._pongs.pop(0)
            if not waiting.done():
                waiting.set_result(True)
            self._pongs_received += 1
            self._pings_outstanding = 0

    def deliver(self, sid: int, subject: bytes, reply: bytes, headers: bytes, body: bytes) -> None:
        """Hand a message to its reader; whatever is wrong with it, the loop goes on."""
        try:
            if (reader := self._readers.get(sid)) is not None:
                self.stats["in_msgs"] += 1
                reader(subject, reply, headers, body)
        except Exception:
            log.exception("message.broken", subject=subject.decode("utf-8", "replace"))

    async def listen(self, subject: str, reader: Reader, queue: str = "") -> Subscription:
        """Subscribe; `reader` is called for each message until the subscription ends."""
        sid = self._sid + 1  # what `subscribe` will take, before it waits for anything
        self._readers[sid] = reader
        try:
            return await self.subscribe(subject, queue=queue)
        except BaseException:
            self._readers.pop(sid, None)
            raise

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self._readers.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    def post(self, subject: str, body: bytes, reply: str, head: bytes) -> None:
        """Put a message in the buffer that the flusher sends; subject and sizes are checked.

        Never waits, so cannot swallow a cancellation as `publish` of nats-py does.
        """
        if head:
            line = f"HPUB {subject} {reply} {len(head)} {len(head) + len(body)}\r\n".encode()
            frame = b"".join((line, head, body, _CRLF))
        else:
            frame = b"".join((f"PUB {subject} {reply} {len(body)}\r\n".encode(), body, _CRLF))
        self._pending.append(frame)
        self._pending_data_size += len(frame)
        self.stats["out_msgs"] += 1
        kicks = self._flush_queue
        if kicks is not None and kicks.empty() and self.is_connected:
            kicks.put_nowait(asyncio.get_running_loop().create_future())

    async def sent(self) -> None:
        """Wait until what is in the buffer has gone to the socket."""
        kicks: asyncio.Queue[asyncio.Future[Any]] | None = self._flush_queue
        if kicks is not None and self.is_connected:
            kick: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            await kicks.put(kick)
            await kick

    def forget(self, subscription: Subscription) -> None:
        """Drop a subscription without telling the server: there is none to tell."""
        self._remove_sub(subscription._id)  # noqa: SLF001 - unsubscribe() would talk

    def know(self, servers: Iterable[str]) -> None:
        """Take servers, beside those it knows, into account at the next reconnect."""
        for url in servers:
            uri = self._parse_server_uri(url)
            if all(known.uri.netloc != uri.netloc for known in self._server_pool):
                self._server_pool.append(Srv(uri))

    def silence(self) -> None:
        """Tell nobody about the end of this client."""
        self._disconnected_cb = self._closed_cb = None
