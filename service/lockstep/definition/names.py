"""The names that an expression begins with: which there are, and where each means something."""

from collections.abc import Iterator, Mapping, Sequence, Set
from difflib import get_close_matches
from typing import Final, Literal

import msgspec

from lockstep.definition import foreign, references
from lockstep.definition.references import names_in
from lockstep.definition.tree import Path, Text, actions, bodies, texts, texts_of
from lockstep.model.types import Catalog
from lockstep.render import Renderer
from lockstep_schemas.actions import Action, Parallel, Repeat, Variables, Wait
from lockstep_schemas.api import Issue
from lockstep_schemas.definition import Definition

Kind = Literal["clock", "trigger", "wait", "run"]

# What is known of each name; of those that are absent here, anything may be there.
_MEMBERS: Final[Mapping[Path, Set[str]]] = {
    ("trigger",): frozenset(
        ("actor", "context_key", "event", "eventId", "hop", "id", "message_id", "payload", "time")
    )
    | {"traceparent"},
    ("trigger", "actor"): frozenset(("type", "id", "name")),
    ("repeat",): frozenset(("index", "item", "first", "last")),
    ("wait",): frozenset(("completed", "payload")),
    ("resume",): frozenset(("payload",)),
    ("run",): frozenset(("id",)),
    ("automation",): frozenset(("id", "name")),
    **{
        ("trigger", name): frozenset()
        for name in ("event", "eventId", "id", "message_id", "time", "context_key")
    },
    **dict.fromkeys(
        (("now",), ("run", "id"), ("automation", "id"), ("automation", "name")), frozenset()
    ),
}
_OF_A_RUN: Final = (
    *("trigger", "variables", "artifacts", "repeat", "wait", "resume", "run", "automation", "now"),
)
_KNOWN: Final[Mapping[Kind, Sequence[str]]] = {
    "clock": ("now",),
    "trigger": ("trigger", "automation", "now"),
    "wait": ("trigger", "run_scope", "now"),
    "run": _OF_A_RUN,
}
_ROOTS: Final = (*_OF_A_RUN, "run_scope")


class Here(msgspec.Struct, frozen=True):
    """What is there where an expression stands."""

    kind: Kind
    loops: bool = False
    waited: bool = False


def unknown(definition: Definition, catalog: Catalog, renderer: Renderer) -> Iterator[Issue]:
    """Give each name that does not exist, with what was probably meant."""
    for text in texts(definition, catalog):
        for reference in sorted(names_in(text, renderer), key=str):
            if reference[0] not in _ROOTS:
                yield Issue(
                    path=list(text.path),
                    message=f"there is no `{reference[0]}`",
                    hint=_meant(reference, definition),
                )


def misplaced(definition: Definition, catalog: Catalog, renderer: Renderer) -> Iterator[Issue]:
    """Give each name that exists, and means nothing where it stands."""
    assigned = _assigned(definition)
    refused = {tuple(one.path) for one in references.faults(definition, catalog, renderer)}
    for text, place in _placed(definition, catalog):
        for reference in sorted(names_in(text, renderer), key=str):
            if reference[0] == "artifacts" and text.path in refused:
                continue  # that is told already
            wrong = _wrong(reference, place, assigned)
            if wrong is not None:
                yield Issue(path=list(text.path), message=wrong[0], hint=wrong[1])


def _meant(reference: Path, definition: Definition) -> str:
    name, rest = str(reference[0]), "".join(f".{one}" for one in reference[1:])
    if name in _assigned(definition):
        return f"write `variables.{name}{rest}`"
    if any(action.id == name for _, action in actions(definition.actions, ("actions",))):
        return f"what an action has produced is `artifacts.{name}`, then the name of its type"
    if elsewhere := foreign.root(name):
        return elsewhere
    near = get_close_matches(name, _ROOTS, 1)
    if near:
        return f"did you mean `{near[0]}`?"
    near = get_close_matches(name, sorted(_assigned(definition)), 1)
    if near:
        return f"did you mean `variables.{near[0]}`?"
    return (
        f"what was published is `trigger.payload`, such as `trigger.payload.{name}`; "
        f"there are {', '.join(f'`{root}`' for root in _OF_A_RUN)}"
    )


def _wrong(reference: Path, place: Here, assigned: Set[str]) -> tuple[str, str | None] | None:
    root = str(reference[0])
    if root not in _ROOTS:
        return None
    if root not in _KNOWN[place.kind]:
        return _elsewhere(reference, place.kind)
    if root == "run_scope":
        of_run = msgspec.structs.replace(place, kind="run")
        if len(reference) > 1 and reference[1] not in _OF_A_RUN:
            return f"`run_scope` has no `{reference[1]}`", _near(reference[1], _OF_A_RUN)
        return _wrong(reference[1:], of_run, assigned) if len(reference) > 1 else None
    if root == "repeat" and not place.loops:
        return "`repeat` is missing here: it is there in a loop only", None
    if root in ("wait", "resume") and not place.waited:
        return f"`{root}` is missing here: no wait for an event can have ended before", None
    if root == "variables":
        name = str(reference[1]) if len(reference) > 1 else None
        if name is None or name in assigned:
            return None
        hint = _near(name, sorted(assigned), "variables.")
        return f"`variables.{name}` is always missing: nothing here sets it", hint
    return _no_member(reference)


def _elsewhere(reference: Path, kind: Kind) -> tuple[str, str | None]:
    shown, root = ".".join(map(str, reference)), reference[0]
    match kind:
        case "clock":
            return f"`{root}` is missing here: there is `now` only", None
        case "trigger":
            return f"`{root}` is missing here: no run has begun yet", None
        case "wait":
            hint = f"write `run_scope.{shown}`"
            return f"`{root}` is missing in the filter of a wait: `trigger` is its event", hint
        case "run":
            hint = f"write `{shown.removeprefix('run_scope.')}`"
            return f"`{root}` is missing here: it is there in the filter of a wait only", hint


def _no_member(reference: Path) -> tuple[str, str | None] | None:
    """Say which name behind a root is never there."""
    for depth in range(1, len(reference)):
        known, name = _MEMBERS.get(reference[:depth]), str(reference[depth])
        if known is None or name in known:
            continue
        before = ".".join(map(str, reference[:depth]))
        if not known:
            is_time = before in ("now", "trigger.time")
            part = f"a part of it is `{before} | date('%Y-%m-%d')`"
            return f"`{before}` is a text, it has no `{name}`", part if is_time else _PUBLISHED
        near = get_close_matches(name, sorted(known), 1, 0.7)
        hint = f"did you mean `{before}.{near[0]}`?" if near else None
        if not hint:
            of_it = ", ".join(f"`{one}`" for one in sorted(known))
            hint = _PUBLISHED if before == "trigger" else f"it has {of_it}"
        return f"`{before}` has no `{name}`", hint
    return None


_PUBLISHED: Final = "what was published is in `trigger.payload`"


def _near(name: str | int, known: Sequence[str], before: str = "") -> str | None:
    near = get_close_matches(str(name), known, 1)
    return f"did you mean `{before}{near[0]}`?" if near else None


def _assigned(definition: Definition) -> Set[str]:
    return {
        name
        for _, action in actions(definition.actions, ("actions",))
        if isinstance(action, Variables)
        for name in action.variables
    }


def _placed(definition: Definition, catalog: Catalog) -> Iterator[tuple[Text, Here]]:
    for text in texts(definition, catalog):
        if text.path[0] == "actions":
            break
        ticks = text.path[-2:] == ("config", "value_template")
        yield text, Here("clock" if ticks else "trigger")
    yield from _walked(definition.actions, ("actions",), Here("run"), catalog)


def _walked(
    some: Sequence[Action], path: Path, place: Here, catalog: Catalog
) -> Iterator[tuple[Text, Here]]:
    """Follow a list: what is behind a wait may know how that has ended."""
    for index, action in enumerate(some):
        yield from _of(action, (*path, index), place, catalog)
        if not place.waited and _waits(action):
            place = msgspec.structs.replace(place, waited=True)


def _of(action: Action, path: Path, place: Here, catalog: Catalog) -> Iterator[tuple[Text, Here]]:
    inside = place
    if isinstance(action, Repeat):
        inside = Here("run", loops=True, waited=place.waited or _waits(action))
    for text in texts_of(action, path, catalog):
        if isinstance(action, Wait) and text.path[-1] == "filter":
            yield text, msgspec.structs.replace(place, kind="wait")
        else:
            yield text, place if text.path[-1] == "for_each" else inside
    for inner, body in bodies(action):
        if isinstance(action, Parallel):
            for index, branch in enumerate(inner):
                yield from _of(branch, (*path, *body, index), inside, catalog)
        else:
            yield from _walked(inner, (*path, *body), inside, catalog)


def _waits(action: Action) -> bool:
    """Say whether a wait for an event can end in an action."""
    if not action.enabled:
        return False
    if isinstance(action, Wait):
        return True
    return any(_waits(one) for inner, _ in bodies(action) for one in inner)
