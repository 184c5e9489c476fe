"""The catalog: all types that are known, in memory, in the order in which they came."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

from lockstep.catalog.errors import AlreadyRegistered, CatalogError
from lockstep.catalog.options import Filter
from lockstep.catalog.registry import Batch, Registry
from lockstep.model.types import ActionType, ArtifactType, TriggerType, Word
from lockstep.render.words import words


class MemoryCatalog:
    """All types; implements `model.types.Catalog`.

    Types of plug-ins come by `register`, all of a plug-in or none; those of services and of files
    one by one, by `put_trigger` and `put_action`, and are replaced when they come again.
    """

    __slots__ = (
        "_actions", "_artifacts", "_brought", "_filters", "_is_open", "_owners", "_triggers",
        "events_state",
    )  # fmt: skip

    def __init__(self, *, is_open: bool) -> None:
        self._is_open = is_open
        self.events_state = 0
        """Another one after each change by which events may be judged otherwise."""
        self._brought: dict[str, str] = {}  # owners of artifact types that came with actions
        self._triggers: dict[str, TriggerType] = {}
        self._actions: dict[str, ActionType] = {}
        self._artifacts: dict[str, ArtifactType] = {}
        self._filters: dict[str, Filter] = {}
        self._owners: dict[str, str] = {}  # plug-ins of filters

    @property
    def is_open(self) -> bool:
        """See `model.types.Catalog`."""
        return self._is_open

    @property
    def filters(self) -> Mapping[str, Filter]:
        """The template filters of plug-ins, by name; a view that shows later ones too."""
        return MappingProxyType(self._filters)

    def words(self) -> Sequence[Word]:
        """Give all filters and then all tests, built in and of plug-ins, by name."""
        return words(self._filters, self._owners)

    def trigger(self, event_id: str) -> TriggerType | None:
        """Give the trigger type of this qualified id."""
        return self._triggers.get(event_id)

    def action(self, qualified_id: str) -> ActionType | None:
        """Give the action type of this id."""
        return self._actions.get(qualified_id)

    def artifact(self, qualified_id: str) -> ArtifactType | None:
        """Give the artifact type of this id."""
        return self._artifacts.get(qualified_id)

    def triggers(self) -> Sequence[TriggerType]:
        """List the trigger types in the order of their registration."""
        return list(self._triggers.values())

    def actions(self) -> Sequence[ActionType]:
        """List the action types in the order of their registration."""
        return list(self._actions.values())

    def artifacts(self) -> Sequence[ArtifactType]:
        """List the artifact types in the order of their registration."""
        return list(self._artifacts.values())

    def register(self, plugin: str, function: Callable[[Registry], object]) -> None:
        """Let `function` register the types of a plug-in; if it raises, none of them is kept.

        May be called again for the same plug-in. What the actions produce and consume may be
        registered later; `complete` checks it.

        Raises:
            CatalogError: A type is wrong or its id is taken.
        """
        with self.registering(plugin) as registry:
            function(registry)

    @contextmanager
    def registering(self, plugin: str, *, whole: bool = False) -> Iterator[Registry]:
        """Give a registry whose types are taken over at the end, unless the block raises.

        Args:
            plugin: Name of the plug-in.
            whole: Refuse actions whose artifact types are not there at the end of the block.

        Raises:
            CatalogError: As for `register`; or an artifact type is missing and `whole` is asked.
        """
        batch = Batch()
        registry = Registry(plugin, self, batch)
        try:
            yield registry
        finally:
            registry.close()
        if whole:
            _refuse(_dangling(batch.actions.values(), self._artifacts.keys() | batch.artifacts))
        self._artifacts |= batch.artifacts
        self._triggers |= batch.triggers
        self._actions |= batch.actions
        self._filters |= batch.filters
        self._owners |= dict.fromkeys(batch.filters, plugin)
        for action in self.actions():
            self._link(action)

    def complete(self) -> None:
        """Check that all artifact types exist that actions produce, consume and close.

        Raises:
            CatalogError: Some do not; the message names every action and type.
        """
        _refuse(_dangling(self._actions.values(), self._artifacts.keys()))

    def put_trigger(self, kind: TriggerType) -> None:
        """Add a trigger type of a service or a file, or replace the one that its owner had.

        Raises:
            AlreadyRegistered: The id belongs to a plug-in or to another owner.
        """
        self.check_free(kind)
        self._triggers[kind.qualified_id] = kind
        self.events_state += 1

    def put_action(self, kind: ActionType) -> None:
        """Add an action type of a service, or replace the one that its owner had.

        What it produces becomes known too, if it was not.

        Raises:
            AlreadyRegistered: The id belongs to a plug-in or to another owner.
        """
        self.check_free(kind)
        self._actions[kind.qualified_id] = kind
        if kind.produces is not None and kind.owner is not None:
            brought = kind.produces.qualified_id
            if brought not in self._artifacts or self._brought.get(brought) == kind.owner:
                self._artifacts[brought] = kind.produces
                self._brought[brought] = kind.owner
            self._link(kind)

    def override_action(self, kind: ActionType) -> Callable[[], None]:
        """Put an action in the place of whatever is there: for cases, which stub actions.

        What is there keeps its config and what it produces; only what it does is another thing.

        Returns:
            What puts everything back as it was.
        """
        actions, artifacts = dict(self._actions), dict(self._artifacts)
        there = self._actions.get(kind.qualified_id)
        if there is not None:
            kind = replace(there, execute=kind.execute)
        self._actions[kind.qualified_id] = kind
        if kind.produces is not None:
            self._artifacts.setdefault(kind.produces.qualified_id, kind.produces)

        def put_back() -> None:
            self._actions, self._artifacts = actions, artifacts

        return put_back

    def check_free(self, kind: TriggerType | ActionType) -> None:
        """See `control.register.OwnedCatalog`."""
        is_trigger = isinstance(kind, TriggerType)
        there = (self._triggers if is_trigger else self._actions).get(kind.qualified_id)
        if there is not None and (there.owner is None or there.owner != kind.owner):
            owner = there.owner or f"plug-in '{there.plugin}'"
            raise AlreadyRegistered(
                f"{'trigger' if is_trigger else 'action'} '{kind.qualified_id}' is already"
                f" registered by {owner}"
            )

    def _link(self, action: ActionType) -> None:
        """Let an action that was there before its artifact type point to it."""
        if action.produces is None:
            return
        artifact = self._artifacts.get(action.produces.qualified_id)
        if artifact is not None and artifact is not action.produces:
            self._actions[action.qualified_id] = replace(action, produces=artifact)


def _dangling(actions: Iterable[ActionType], known: Set[str]) -> list[str]:
    """Name the artifact types that actions speak of and that are not known."""
    return [
        f"action '{action.qualified_id}' {verb} '{artifact}', which is no artifact type"
        for action in actions
        for verb, artifact in _artifacts(action)  # what is closed is consumed too
        if artifact not in known
    ]


def _artifacts(action: ActionType) -> Iterator[tuple[str, str]]:
    if action.produces is not None:
        yield "produces", action.produces.qualified_id
    for artifact in action.consumes:
        yield "consumes", artifact


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise CatalogError("; ".join(faults))
