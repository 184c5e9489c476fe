"""The connection to PostgreSQL: a pool, transactions, and what its errors mean to us."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import asyncpg

from lockstep.model.errors import DataRefused, StoreInDoubt, StoreTooSlow, StoreUnavailable
from lockstep.store import sessions
from lockstep.store.queries import query

if TYPE_CHECKING:
    # The generic forms are those of the stubs; at run time the classes take no parameters.
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = (
        asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    )

COMMAND_TIMEOUT_SECONDS: Final = 30.0  # the server ends a statement after 10 s; else it is silent
ACQUIRE_TIMEOUT_SECONDS: Final = 15.0  # longer than a statement takes that holds a connection
# What lives by its answer asks anew, on a new connection, before anyone takes it for dead.
PROMPT_SECONDS: Final = 2.0
DOUBT_SECONDS: Final = 5.0  # to hear what has become of a commit: somebody waits for an answer
AGAIN_SECONDS: Final = 0.1  # a commit under way is over by then, nearly always
CLOSE_SECONDS: Final = 5.0  # what was begun is mostly over by then; a supervisor waits for us

_PASSING: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # Not the fault of an event: another database, a role without rights, a disk that fails.
    asyncpg.UndefinedTableError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.PostgresSystemError,
    asyncpg.PostgresIOError,
    asyncpg.InternalServerError,
)
# A session of which this is heard is no longer what it was: none of its age is used again.
_OUTLIVED: Final = (asyncpg.ReadOnlySQLTransactionError, *sessions.SWAPPED)


Apart: TypeAlias = Literal["heartbeat", "index", "health"]
"""What must not wait until work gives a connection back."""

# The pools of which this task, or whoever began it, holds a connection.
_held: Final[ContextVar[frozenset[int]]] = ContextVar("held", default=frozenset())


async def _keep(_: object) -> None:
    """Leave a connection as it is when it is given back."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn the errors of the driver into ours: passing ones, and those of data."""
    try:
        yield
    except asyncpg.DataError as error:
        raise DataRefused(f"PostgreSQL refused a value: {error}") from error
    except asyncpg.ProgramLimitExceededError as error:
        raise DataRefused(f"PostgreSQL cannot keep a value: {error}") from error
    except asyncpg.UntranslatableCharacterError as error:
        raise DataRefused(f"PostgreSQL refused a text: {error}") from error
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise StoreUnavailable(
            f"PostgreSQL refused the login: {error}; see postgres.dsn"
        ) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise StoreUnavailable(f"PostgreSQL: {error}; create it, or see postgres.dsn") from error
    except asyncpg.QueryCanceledError as error:
        raise StoreTooSlow(f"PostgreSQL ended a statement: {error}") from error
    except sessions.SWAPPED as error:
        raise StoreUnavailable(str(sessions.swapped())) from error
    except asyncpg.ReadOnlySQLTransactionError as error:
        raise StoreUnavailable(f"PostgreSQL takes no writes: {error}") from error
    except _PASSING as error:
        raise StoreUnavailable(
            f"PostgreSQL did not answer: {type(error).__name__}: {error}"
        ) from error


class Store:
    """A pool of connections; every other module of `store` works on it.

    Whoever holds a connection of a pool asks it for no other: all might wait for one another.
    """

    def __init__(
        self,
        pool: "Pool",
        apart: Mapping[Apart, "Pool"] | None = None,
        every: "Sequence[Pool]" = (),
    ) -> None:
        self.pool = pool
        self._apart = apart or {}
        self._every = every or [pool, *self._apart.values()]

    @classmethod
    async def connect(cls, dsn: str, size: int) -> "Store":
        """Open the pool.

        Raises:
            Unavailable: The server cannot be reached, refuses the login, or takes no writes.
            ServerUnfit: See `sessions.fit`.
        """
        with explained():
            async with sessions.fit(dsn):  # a pool hides what is wrong with a DSN
                pool = await _pool(dsn, 1, size, COMMAND_TIMEOUT_SECONDS)
                apart = {
                    what: await _pool(
                        dsn, 0, 1, COMMAND_TIMEOUT_SECONDS if what == "index" else PROMPT_SECONDS
                    )
                    for what in get_args(Apart)
                }
        return cls(pool, apart)

    def apart(self, what: Apart) -> "Store":
        """Give the one connection that is for this alone; it is made when it is asked for."""
        return Store(self._apart[what], every=self._every)

    @property
    def is_busy(self) -> bool:
        """Whether somebody holds a connection."""
        return any(p.get_idle_size() < p.get_size() for p in (self.pool, *self._apart.values()))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["Connection"]:
        """Lend a connection; the errors of its statements are ours."""
        held = _held.get()
        if id(self.pool) in held:
            raise RuntimeError("whoever holds a connection of a pool asks it for no other")
        _held.set(held | {id(self.pool)})
        try:
            with explained():
                async with self.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as connection:
                    try:
                        yield connection
                    except _OUTLIVED:
                        # This one is closed when it is given back, all others before they are
                        # lent again: who only reads would not notice that others write elsewhere.
                        for pool in self._every:
                            await pool.expire_connections()
                        raise
                    except TimeoutError:
                        connection.terminate()  # silent for so long: nothing more will come of it
                        raise
        finally:
            _held.set(held)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Connection"]:
        """Lend a connection inside a transaction (read committed)."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def answered(self) -> AsyncIterator["Connection"]:
        """Lend a connection inside a transaction, for somebody who waits for its outcome.

        Where the answer to the commit is lost, the server is asked what has become of it: that
        costs a round trip for each transaction.

        Raises:
            StoreInDoubt: It may be committed, and the server could not be asked.
            StoreUnavailable: Nothing is committed.
        """
        ours: asyncpg.Record | None = None
        try:
            async with self.transaction() as connection:
                yield connection
                ours = await connection.fetchrow(*query("sessions/transaction"))
        except StoreUnavailable as error:
            if ours is not None and not await self._has_committed(ours):
                raise StoreUnavailable(f"{error}; nothing of it was kept") from error
            if ours is None:
                raise

    async def _has_committed(self, ours: asyncpg.Record) -> bool:
        """Say what has become of a transaction, as soon as the server knows and says it.

        Raises:
            StoreInDoubt: It does not in time.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(DOUBT_SECONDS):
                while True:
                    with suppress(StoreUnavailable):  # it comes back, or our time is over
                        async with self.connection() as connection:
                            outcome = await connection.fetchval(*query("sessions/outcome", **ours))
                        if outcome != "in progress":
                            break
                    await asyncio.sleep(AGAIN_SECONDS)
                if outcome is not None:
                    return bool(outcome == "committed")
        raise StoreInDoubt("PostgreSQL broke off while it committed: it may have been done")

    async def ping(self) -> None:
        """Return if the server answers, however much is asked of it. Raise Unavailable."""
        async with self.apart("health").connection() as connection:
            await connection.execute(*query("status/ping"))

    async def end_frozen(self, seconds: float) -> int:
        """End sessions whose client is frozen in a statement; give how many. Raise Unavailable.

        Not on a connection of the pool: all of them may wait for what such a session has locked.
        """
        async with self.apart("health").connection() as connection:
            return int(await connection.fetchval(*query("sessions/end_frozen", seconds=seconds)))

    async def suspect(self, delivery: str) -> int:
        """See `intake.loop.Marks`."""
        async with self.connection() as connection:
            return int(await connection.fetchval(*query("receipts/suspect", delivery=delivery)))

    async def clear(self, delivery: str) -> None:
        """See `intake.loop.Marks`."""
        async with self.connection() as connection:
            await connection.execute(*query("receipts/clear_suspect", delivery=delivery))

    async def forget_all(self) -> None:
        """Delete all rows: for the test cases of authors, on a database of their own."""
        async with self.connection() as connection:
            await connection.execute(*query("cases/forget_all"))

    async def mark_running(self) -> None:
        """Let sleeping runs look executed by a worker nobody knows: damage, for test cases."""
        async with self.connection() as connection:
            await connection.execute(*query("cases/mark_running"))

    async def lose_frames(self) -> None:
        """Damage the store as a lost table would: for the test cases of authors."""
        async with self.connection() as connection:
            await connection.execute(*query("cases/lose_frames"))

    async def is_unsettled(self, now: datetime) -> bool:
        """Say whether replicas have something to do though no time passes: for test cases."""
        async with self.connection() as connection:
            return bool(await connection.fetchval(*query("cases/unsettled", now=now)))

    async def count_running(self) -> int:
        """Count the runs that have an owner: for test cases."""
        async with self.connection() as connection:
            return int(await connection.fetchval(*query("cases/count_running")))

    async def close(self) -> None:
        """Close all connections; what is still running after a while is cut off."""
        pools = [self.pool, *self._apart.values()]
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                for pool in pools:
                    await pool.close()
        except TimeoutError:
            for pool in pools:
                pool.terminate()


async def _pool(dsn: str, least: int, most: int, seconds: float) -> "Pool":
    pool: Pool = await asyncpg.create_pool(  # type: ignore[call-overload] # of `dial`
        dsn,
        min_size=least,
        max_size=most,
        command_timeout=seconds,
        connect=sessions.dial,
        init=sessions.settle,
        # Nothing of ours outlives its transaction, so there is nothing to reset: it would be a
        # round trip for each statement.
        reset=_keep,
    )
    return pool
