"""A consumer that lives as long as somebody reads: in memory, as a rule headers only."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from lockstep.bus import api
from lockstep.bus.api import ApiError
from lockstep.bus.connection import Connection
from lockstep.model.errors import Unavailable


@asynccontextmanager
async def reader(
    connection: Connection,
    stream: str,
    subject: str,
    begin: Mapping[str, str | int],
    seconds: float,
    what: str,
    *,
    headers_only: bool = True,
) -> AsyncIterator[tuple[str, int]]:
    """Lend a consumer from `begin` on; give `<stream>.<name>` and how many messages it has.

    `seconds` is how long the reading may take, `what` is done with the stream, for the error.

    Raises:
        Unavailable: JetStream gave no answer.
        ServerUnfit: The stream is not there, or we may not look into it.
    """
    name = f"read-{uuid4().hex}"
    config = {
        "name": name,
        "filter_subject": subject,
        **begin,
        "ack_policy": "none",
        "headers_only": headers_only,
        "mem_storage": True,
        "num_replicas": 1,
        "inactive_threshold": round(2 * seconds * 1e9),
    }
    where = f"CONSUMER.CREATE.{stream}.{name}.{subject}"
    try:
        made = await api.call(connection, where, {"stream_name": stream, "config": config})
    except ApiError as error:
        error.about = f"stream {stream} cannot be {what}"
        raise error.as_refusal() from None
    try:
        yield f"{stream}.{name}", made.get("num_pending", 0)
    finally:
        with suppress(Unavailable):  # it goes by itself too, a little later
            connection.post(f"$JS.API.CONSUMER.DELETE.{stream}.{name}", b"")
