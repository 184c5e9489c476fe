"""The endpoints `catalog.triggers.register` and `catalog.actions.register`."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from lockstep.catalog import AlreadyRegistered, CatalogError, action_type, trigger_type
from lockstep.control.fitting import check_fits
from lockstep.model.types import ActionType, Catalog, TriggerType, TypeKind
from lockstep_schemas.api import Issue, Success
from lockstep_schemas.events import Actor
from lockstep_schemas.registration import ActionRegister, TriggerRegister

ANYBODY = "service"


class Types(Protocol):
    """The stored types."""

    async def register(self, kind: TypeKind, type_id: str, owner: str, document: bytes) -> bool:
        """Store a type; False if it is another owner's."""
        ...


class OwnedCatalog(Catalog, Protocol):
    """The catalog, and whose ids are whose."""

    def check_free(self, kind: TriggerType | ActionType) -> None:
        """Raise AlreadyRegistered if the id belongs to a plug-in or to another owner."""
        ...


class RegisterEndpoints:
    """Takes the types that services bring: an upsert by owner, in force after the reply."""

    def __init__(
        self,
        types: Types,
        catalog: OwnedCatalog,
        subject: Callable[[str], str],
        refresh: Callable[[], Awaitable[None]],
    ) -> None:
        self._types, self._catalog = types, catalog
        self._subject, self._refresh = subject, refresh

    async def trigger(self, request: TriggerRegister, actor: Actor | None) -> Success:
        """Take a type of trigger."""
        owner = request.owner or _name(actor)
        return await self._take("trigger", request, owner, lambda: trigger_type(request, owner))

    async def action(self, request: ActionRegister, actor: Actor | None) -> Success:
        """Take a type of action."""
        owner = request.owner or _name(actor)
        subject = self._subject(request.id)
        return await self._take(
            "action", request, owner, lambda: action_type(request, owner, subject, self._catalog)
        )

    async def _take(
        self,
        kind: TypeKind,
        request: TriggerRegister | ActionRegister,
        owner: str,
        make: Callable[[], TriggerType | ActionType],
    ) -> Success:
        check_fits(request, "type")
        await self._refresh()
        try:
            self._catalog.check_free(make())
        except AlreadyRegistered:
            raise
        except CatalogError as error:
            error.issues = [_issue(str(error), request)]
            raise
        document = msgspec.json.encode(msgspec.structs.replace(request, owner=None))
        if not await self._types.register(kind, request.id, owner, document):
            raise AlreadyRegistered(f"{kind} '{request.id}' is already registered by another")
        await self._refresh()
        return Success()


def _name(actor: Actor | None) -> str:
    return (actor and (actor.id or actor.name)) or ANYBODY


def _issue(text: str, request: TriggerRegister | ActionRegister) -> Issue:
    """Name the field that a fault is about: `action 'a.b': config: ..` is about the config."""
    word = text.partition("': ")[2].partition(" ")[0].rstrip(":")
    field = {"config": "config_schema"}.get(word, word)
    return Issue(path=[field if field in request.__struct_fields__ else "id"], message=text)
