"""A NATS server and a PostgreSQL on this machine, from PyPI, for `lockstep dev` and for tests.

They listen on loopback and on a Unix socket only, keep their data in one folder, and end with the
process that started them, even when that is killed.
"""

from lockstep.embedded.nats_server import nats
from lockstep.embedded.postgres_server import postgres
from lockstep.embedded.server import Server
from lockstep.embedded.servers import Servers, start

__all__ = ["Server", "Servers", "nats", "postgres", "start"]
