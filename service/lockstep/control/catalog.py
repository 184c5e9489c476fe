"""The endpoints `catalog.*` and `templates.render`."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from msgspec import UNSET, UnsetType

from lockstep.control.fitting import fitting
from lockstep.model.errors import RenderError
from lockstep.model.program import Expression, Template
from lockstep.model.types import ActionType, ArtifactType, Catalog, TriggerType, Word
from lockstep_schemas.catalog import (
    ActionInfo,
    Actions,
    ArtifactTypeInfo,
    ArtifactTypes,
    CatalogList,
    FilterInfo,
    Filters,
    Rendered,
    RenderFault,
    RenderRequest,
    TriggerInfo,
    Triggers,
)
from lockstep_schemas.events import Actor

Kind = TypeVar("Kind", TriggerType, ActionType, ArtifactType)
Info = TypeVar("Info", TriggerInfo, ActionInfo, ArtifactTypeInfo)


class Known(Catalog, Protocol):
    """All types, and what may be said in expressions."""

    def words(self) -> Sequence[Word]:
        """Give all filters, then all tests, by name."""
        ...


class Renderer(Protocol):
    """Compiles texts."""

    def template(self, text: str) -> Template:
        """Compile a template. Raise RenderError."""
        ...

    def expression(self, text: str) -> Expression:
        """Compile a bare expression. Raise RenderError."""
        ...


class CatalogEndpoints:
    """Lists the types and filters that are known, and renders texts for those who write them."""

    def __init__(
        self, catalog: Known, renderer: Renderer, refresh: Callable[[], Awaitable[None]]
    ) -> None:
        self._catalog, self._renderer, self._refresh = catalog, renderer, refresh

    async def triggers(self, request: CatalogList, _: Actor | None) -> Triggers:
        """All types of triggers, by id."""
        await self._refresh()
        kinds = _behind(request.after, self._catalog.triggers())
        return Triggers(*_page([trigger_info(kind) for kind in kinds]))

    async def actions(self, request: CatalogList, _: Actor | None) -> Actions:
        """All types of actions, by id."""
        await self._refresh()
        kinds = _behind(request.after, self._catalog.actions())
        return Actions(*_page([action_info(kind) for kind in kinds]))

    async def artifact_types(self, request: CatalogList, _: Actor | None) -> ArtifactTypes:
        """All types of artifacts, by id."""
        await self._refresh()
        kinds = _behind(request.after, self._catalog.artifacts())
        return ArtifactTypes(
            *_page(
                [
                    ArtifactTypeInfo(
                        qualified_id=kind.qualified_id,
                        display_name=kind.display_name,
                        description=kind.description,
                        owner_plugin_id=kind.plugin,
                        schema=kind.schema.document,
                    )
                    for kind in kinds
                ]
            )
        )

    async def filters(self, request: CatalogList, _: Actor | None) -> Filters:
        """All filters, then all tests, by name."""
        after = request.after or ""
        items = [one for one in map(filter_info, self._catalog.words()) if _place(one) > after]
        shown = fitting(items)
        return Filters(shown, _place(shown[-1]) if len(shown) < len(items) else UNSET)

    async def render(self, request: RenderRequest, _: Actor | None) -> Rendered:
        """Render a text against a context; whatever is wrong is said in the reply."""
        text, context = request.template, request.context
        try:
            match request.mode:
                case "template":
                    return Rendered(
                        success=True, output=self._renderer.template(text).render(context)
                    )
                case "expression":
                    output = self._renderer.expression(text).evaluate(context)
                    return Rendered(success=True, output=output)
                case "condition":
                    holds = self._renderer.expression(text).holds(context)
                    return Rendered(success=True, boolean_result=holds)
        except RenderError as error:
            fault = RenderFault(message=error.message, line=error.line, column=error.column)
            return Rendered(success=False, error=fault)


def trigger_info(kind: TriggerType) -> TriggerInfo:
    """Say of a type of trigger what programs are told."""
    return TriggerInfo(
        qualified_id=kind.qualified_id,
        display_name=kind.display_name,
        description=kind.description,
        category=kind.category,
        owner_plugin_id=kind.owner or kind.plugin,
        payload_schema=kind.payload_schema.document if kind.payload_schema else {},
        config_schema=kind.config_schema.document if kind.config_schema else None,
        context_key=kind.context_key_text,
        source=kind.source,
    )


def action_info(kind: ActionType) -> ActionInfo:
    """Say of a type of action what programs are told."""
    return ActionInfo(
        qualified_id=kind.qualified_id,
        display_name=kind.display_name,
        description=kind.description,
        category=kind.category,
        owner_plugin_id=kind.owner or kind.plugin,
        config_schema=kind.config_schema.document,
        produces=kind.produces.qualified_id if kind.produces else None,
        consumes=list(kind.consumes),
        closes=list(kind.closes),
        timeout_seconds=kind.timeout_seconds,
        retry_safe=kind.retry_safe,
        source=kind.source,
    )


def filter_info(word: Word) -> FilterInfo:
    """Say of a filter or a test what programs are told."""
    return FilterInfo(
        name=word.name,
        kind="test" if word.is_test else "filter",
        usage=word.usage,
        description=word.meaning,
        owner_plugin_id=word.owner,
    )


def _place(one: FilterInfo) -> str:
    """Give where it stands among all: filters, then tests."""
    return f"{one.kind} {one.name}"


def _behind(after: str | None, kinds: Iterable[Kind]) -> list[Kind]:
    """Give types by id, those behind one that was shown before."""
    wanted = (kind for kind in kinds if after is None or kind.qualified_id > after)
    return sorted(wanted, key=lambda kind: kind.qualified_id)


def _page(items: Sequence[Info]) -> tuple[list[Info], str | UnsetType]:
    """Give as many as fit into a reply, and behind which to go on."""
    shown = fitting(items)
    return shown, shown[-1].qualified_id if len(shown) < len(items) else UNSET
