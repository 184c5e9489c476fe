"""References to artifacts: only what an action before produces, by the name of its type."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from lockstep.definition.tree import Path, Text, actions, bodies, called, texts, texts_of
from lockstep.model.errors import RenderError
from lockstep.model.types import Catalog
from lockstep.render import Renderer
from lockstep_schemas.actions import Action
from lockstep_schemas.api import Issue
from lockstep_schemas.definition import Definition


def faults(definition: Definition, catalog: Catalog, renderer: Renderer) -> Iterator[Issue]:
    """Judge every reference `artifacts.<action id>.<local type name>`, in document order."""
    produced = _produced(definition, catalog)
    before: dict[str, str] = {}
    for text in texts(definition, catalog):
        if text.path[0] != "actions":
            yield from _text(text, {}, produced, renderer)
    for where in _in_order(definition.actions, ("actions",), catalog):
        if isinstance(where, Text):
            yield from _text(where, before, produced, renderer)
        elif where.id is not None and (name := _local_name(where, catalog)) is not None:
            before[where.id] = name


def unknown(some: Iterable[Text], known: Set[str], renderer: Renderer) -> Iterator[Issue]:
    """Judge the references of a definition that is wrong elsewhere, by the ids that are in it."""
    for text in some:
        for shown, reference in _of_artifacts(text, renderer):
            message = None if str(reference[1]) in known else _fault(shown, reference, {}, {})
            if message:
                yield Issue(path=list(text.path), message=message)


def _in_order(some: Sequence[Action], path: Path, catalog: Catalog) -> Iterator[Text | Action]:
    """Give texts and actions as a reader meets them: each `when` before its own branch only.

    `until` comes after the body: it is judged there.
    """
    for index, action in enumerate(some):
        place = (*path, index)
        late = deque(texts_of(action, place, catalog))
        for inner, body in bodies(action):
            here = (*place, *body)
            while late and late[0].path[-1] != "until" and _stands_before(late[0].path, here):
                yield late.popleft()
            yield from _in_order(inner, here, catalog)
        yield from late
        yield action


def _stands_before(text: Path, body: Path) -> bool:
    """Say whether a text belongs to the branch of a body, or to no branch."""
    return "choose" not in body[-3:-1] or text[: len(body) - 1] == body[:-1]


def _produced(definition: Definition, catalog: Catalog) -> Mapping[str, str]:
    return {
        action.id: name
        for _, action in actions(definition.actions, ("actions",))
        if action.id is not None and (name := _local_name(action, catalog)) is not None
    }


def _local_name(action: Action, catalog: Catalog) -> str | None:
    call = called(action)
    kind = catalog.action(call.action) if call else None
    return kind.produces.local_name if kind and kind.produces else None


def _text(
    text: Text, before: Mapping[str, str], produced: Mapping[str, str], renderer: Renderer
) -> Iterator[Issue]:
    for shown, reference in _of_artifacts(text, renderer):
        message = _fault(shown, reference, before, produced)
        if message:
            yield Issue(path=list(text.path), message=message)


def _of_artifacts(text: Text, renderer: Renderer) -> Iterator[tuple[str, Path]]:
    """Give the references to artifacts, as they are written and without `run_scope`."""
    for written in sorted(names_in(text, renderer), key=str):
        reference = written[1:] if written[0] == "run_scope" else written
        if len(reference) > 1 and reference[0] == "artifacts":
            yield ".".join(map(str, written)), reference


def names_in(text: Text, renderer: Renderer) -> frozenset[Path]:
    """Give the static names that a text refers to; none where it cannot be compiled."""
    try:
        if text.form == "expression":
            return frozenset(renderer.expression(text.text).references)
        return frozenset(renderer.template(text.text).references)
    except RenderError:
        return frozenset()  # the fault is told where the text is compiled


def _fault(
    shown: str, reference: Path, before: Mapping[str, str], produced: Mapping[str, str]
) -> str | None:
    action_id = str(reference[1])
    name = before.get(action_id)
    if name is None:
        if action_id in produced:
            return f"`{shown}`: the action '{action_id}' stands after this one"
        return f"`{shown}`: no action '{action_id}' before this one produces an artifact"
    if len(reference) == 2:
        return f"`{shown}`: the name of the type is missing, write `{shown}.{name}`"
    if reference[2] != name:
        return f"`{shown}`: '{action_id}' produces `{name}`, not `{reference[2]}`"
    return None
