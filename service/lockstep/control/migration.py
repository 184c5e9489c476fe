"""The endpoints `migration.*`."""

from collections.abc import Sequence, Set
from typing import Final, Literal, Protocol

import msgspec
import structlog

from lockstep.control.errors import FailureNotFound, Refusal
from lockstep.control.subscriptions import (
    MAX_BYTES,
    SubscriptionRefused,
    automation_of,
    identity,
    read,
)
from lockstep.model.errors import DataRefused
from lockstep.model.texts import path_text
from lockstep.ports.clock import Clock
from lockstep_schemas.api import AutomationCreate, ById, Issue, Success
from lockstep_schemas.base import Json
from lockstep_schemas.events import Actor
from lockstep_schemas.migration import (
    Failures,
    FailuresList,
    Imported,
    ImportFailure,
    ImportRequest,
)

NAME_CHARACTERS: Final = 300  # more than the 200 of a name: one that was too long is known again
DETAIL_CHARACTERS: Final = 4000
"""Longer texts of a failure are cut: a list of many has to fit into a reply."""

log = structlog.get_logger()


class AutomationCreator(Protocol):
    """Where automations are created."""

    async def create_imported(
        self, request: AutomationCreate, subscription_id: str, actor: Actor | None
    ) -> bool:
        """Create the automation of a subscription, as `automations.create` does.

        Returns:
            Whether it was created: false where the subscription has one.

        Raises:
            Refusal: It is not valid.
        """
        ...


class Imports(Protocol):
    """What is stored of imports."""

    async def imported(self, ids: Sequence[str]) -> Set[str]:
        """Say which subscriptions have their automation; they have no failure any more."""
        ...

    async def keep(self, failure: ImportFailure) -> bool:
        """Keep a failure in the place of the one before; false where there is an automation."""
        ...

    async def failures(self, limit: int, offset: int) -> tuple[list[ImportFailure], int]:
        """Give those that nobody has acknowledged, and how many there are in all."""
        ...

    async def acknowledge(self, subscription_id: str, actor: Actor | None) -> bool:
        """List a failure no longer; false where there is none."""
        ...


class MigrationEndpoints:
    """Turns webhook subscriptions into automations, and keeps those that could not be."""

    def __init__(self, automations: AutomationCreator, imports: Imports, clock: Clock) -> None:
        self._automations, self._imports, self._clock = automations, imports, clock

    async def import_subscriptions(self, request: ImportRequest, actor: Actor | None) -> Imported:
        """Import each for itself; to do it again does no harm."""
        counts = {"migrated": 0, "skipped": 0, "failed": 0}
        named = [(identity(raw), raw) for raw in request.subscriptions]
        there = await self._imports.imported([name for name, _ in named])
        for name, raw in named:
            became = "skipped" if name in there else await self._import(name, raw, actor)
            counts[became] += 1
        done = Imported(total=len(named), **counts)
        log.info("subscriptions.imported", **counts, actor=_who(actor))
        return done

    async def failures(self, request: FailuresList, _: Actor | None) -> Failures:
        """Oldest first."""
        items, total = await self._imports.failures(request.limit, request.offset)
        return Failures(items=items, total=total, limit=request.limit, offset=request.offset)

    async def acknowledge(self, request: ById, actor: Actor | None) -> Success:
        """Let one be listed no longer, until it fails again."""
        if not await self._imports.acknowledge(request.id, actor):
            raise FailureNotFound(request.id)
        log.info("failure.acknowledged", subscription=request.id, actor=_who(actor))
        return Success()

    async def _import(
        self, name: str, raw: Json, actor: Actor | None
    ) -> Literal["migrated", "skipped", "failed"]:
        try:
            request = automation_of(read(raw))
            made = await self._automations.create_imported(request, name, actor)
        except SubscriptionRefused as error:
            failure = self._failure(name, raw, error.reason, error.detail)
        except Refusal as refusal:
            failure = self._failure(name, raw, "invalid definition", _explained(refusal))
        except DataRefused as error:
            failure = self._failure(name, raw, "refused insert", str(error))
        else:
            return "migrated" if made else "skipped"
        return "failed" if await self._imports.keep(failure) else "skipped"

    def _failure(self, name: str, raw: Json, reason: str, detail: str) -> ImportFailure:
        about = raw if isinstance(raw, dict) else {}
        config = about.get("providerConfig") if isinstance(raw, dict) else raw
        return ImportFailure(
            id=name,
            name=_text(about.get("name")),
            provider=_text(about.get("providerId")),
            event=_text(about.get("eventId")),
            reason=reason,
            detail=_cut(detail, DETAIL_CHARACTERS),
            config=config if len(msgspec.json.encode(config)) <= MAX_BYTES else None,
            failed_at=self._clock.now(),
        )


def _explained(refusal: Refusal) -> str:
    """Give all that is wrong with a definition."""
    return "; ".join(map(_issue, refusal.issues)) or str(refusal)


def _issue(issue: Issue) -> str:
    place = path_text(issue.path) or "definition"
    return f"{place}: {issue.message}" + (f" ({issue.hint})" if issue.hint else "")


def _text(value: Json) -> str | None:
    return _cut(value, NAME_CHARACTERS) if isinstance(value, str) else None


def _cut(text: str, characters: int) -> str:
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")  # PostgreSQL has no such texts
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def _who(actor: Actor | None) -> str | None:
    return None if actor is None else actor.name or actor.id or actor.type
