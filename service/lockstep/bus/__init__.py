"""The edge to NATS: the only package that imports it.

`connection` is the way in; everything else is built on a `Connection`. What an engine alone needs
is imported from its module, so that the command line does without: `service`, `dead_box`, `doctor`,
`reading.unhandled`.
"""

from lockstep import without

# It imports aiohttp for `ws://` only, which no setting may name; with it each command of the
# command line takes half as long again.
with without("aiohttp"):
    import nats.aio.client  # noqa: F401 - before all else that imports nats-py

from lockstep.bus.asker import Asker
from lockstep.bus.buckets import Bucket
from lockstep.bus.client import ApiClient, ApiReply, NoEngine
from lockstep.bus.connection import Connection, connect
from lockstep.bus.dead_letters import DeadLetters
from lockstep.bus.follow import LIMIT as FEED_LIMIT
from lockstep.bus.follow import Feed, Note, follow
from lockstep.bus.lag import Lag, lag
from lockstep.bus.names import ENGINE
from lockstep.bus.outgoing import Outgoing
from lockstep.bus.publisher import Publisher
from lockstep.bus.puller import Puller
from lockstep.bus.reading.lookup import find
from lockstep.bus.reading.peek import since
from lockstep.bus.settings import BusSettings
from lockstep.bus.topology import apply, gone, missing, prepare
from lockstep.bus.worker_keys import WorkerKeys

__all__ = [
    "ENGINE",
    "FEED_LIMIT",
    "ApiClient",
    "ApiReply",
    "Asker",
    "Bucket",
    "BusSettings",
    "Connection",
    "DeadLetters",
    "Feed",
    "Lag",
    "NoEngine",
    "Note",
    "Outgoing",
    "Publisher",
    "Puller",
    "WorkerKeys",
    "apply",
    "connect",
    "find",
    "follow",
    "gone",
    "lag",
    "missing",
    "prepare",
    "since",
]
