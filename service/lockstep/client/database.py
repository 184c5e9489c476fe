"""The database of an engine, for commands that look after its schema."""

from collections.abc import Iterator
from contextlib import contextmanager

from lockstep.client import unreachable
from lockstep.model.errors import StoreUnavailable, Unavailable
from lockstep.settings.structs import without_secrets
from lockstep.store.pool import explained


@contextmanager
def named(dsn: str) -> Iterator[None]:
    """Say which server it is that does not answer.

    Raises:
        Unavailable: It does not, or refuses us.
    """
    try:
        with explained():
            yield
    except Unavailable as error:
        raise StoreUnavailable(unreachable.postgres(without_secrets(dsn), str(error))) from error
