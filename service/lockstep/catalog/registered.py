"""Types that services have registered over the bus: in the store, and so in every replica."""

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from lockstep.catalog.documents import action_type, trigger_type
from lockstep.catalog.errors import CatalogError
from lockstep.catalog.memory import MemoryCatalog
from lockstep.model.types import StoredType
from lockstep.ports.catalog import TypeSource
from lockstep_schemas.registration import ActionRegister, TriggerRegister

NEVER = -1  # below any revision: the first look takes over all

log = structlog.get_logger()

_trigger = msgspec.json.Decoder(TriggerRegister).decode
_action = msgspec.json.Decoder(ActionRegister).decode


class Registered:
    """Keeps the catalog up to what is stored."""

    def __init__(
        self, types: TypeSource, catalog: MemoryCatalog, subject: Callable[[str], str]
    ) -> None:
        self._types, self._catalog, self._subject = types, catalog, subject
        self._revision = NEVER
        self._reading = asyncio.Lock()

    async def refresh(self) -> None:
        """Take over what was registered since the last look. Raise Unavailable."""
        async with self._reading:
            for stored in await self._types.since(self._revision):
                self._take(stored)
                self._revision = stored.revision

    def _take(self, stored: StoredType) -> None:
        """Take a type; one that this replica cannot have is named and left out."""
        try:
            if stored.kind == "trigger":
                self._catalog.put_trigger(trigger_type(_trigger(stored.document), stored.owner))
            else:
                document, subject = _action(stored.document), self._subject(stored.id)
                self._catalog.put_action(
                    action_type(document, stored.owner, subject, self._catalog)
                )
        except (CatalogError, msgspec.DecodeError) as error:
            log.warning("type.refused", type=stored.id, owner=stored.owner, error=error)
