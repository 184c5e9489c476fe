"""Walks over the structs of a definition: actions in document order, and all that is compiled."""

from collections.abc import Iterator, Sequence
from typing import Literal, assert_never

import msgspec

from lockstep.model.types import Catalog
from lockstep_schemas.actions import (
    Action,
    Choose,
    Delay,
    Guard,
    Loop,
    Parallel,
    ProviderAction,
    Repeat,
    Stop,
    Variables,
    Wait,
)
from lockstep_schemas.actions import Sequence as SequenceAction
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.conditions import And, Condition, Not, NumericState, Or, Time
from lockstep_schemas.definition import Definition

Path = tuple[str | int, ...]
Form = Literal["expression", "template"]


class Text(msgspec.Struct, frozen=True):
    """A text that is compiled: where it stands, and as what."""

    path: Path
    text: str
    form: Form
    event: str | None = None  # of a wait filter: the event that `trigger` is there


def actions(some: Sequence[Action], path: Path) -> Iterator[tuple[Path, Action]]:
    """Give all actions in document order, containers before what is in them."""
    for index, action in enumerate(some):
        yield from _action(action, (*path, index))


def _action(action: Action, path: Path) -> Iterator[tuple[Path, Action]]:
    yield path, action
    for inner, place in bodies(action):
        yield from actions(inner, (*path, *place))


def bodies(action: Action) -> Iterator[tuple[Sequence[Action], Path]]:
    """Give the lists of actions inside an action, with their paths in it."""
    match action:
        case Choose():
            for index, branch in enumerate(action.choose):
                yield branch.sequence, ("choose", index, "sequence")
            yield action.else_, ("else",)
        case Parallel():
            yield action.parallel, ("parallel",)
        case Repeat():
            yield action.repeat.sequence, ("repeat", "sequence")
        case SequenceAction():
            yield action.sequence, ("sequence",)
        case ProviderAction() | Delay() | Variables() | Guard() | Stop() | Wait():
            return
        case _:
            assert_never(action)


def called(action: Action) -> ProviderAction | None:
    """Give an action as the call of a provider, if it is one."""
    match action:
        case ProviderAction():
            return action
        case Choose() | Parallel() | SequenceAction() | Repeat():
            return None  # what they call is in their bodies
        case Delay() | Variables() | Guard() | Stop() | Wait():
            return None
        case _:
            assert_never(action)


def rendered(call: ProviderAction, catalog: Catalog | None) -> JsonObject:
    """Give the fields of a config that are rendered: all but those that are source code."""
    kind = catalog.action(call.action) if catalog else None
    code = kind.code_fields if kind else frozenset()
    return {name: value for name, value in call.config.items() if name not in code}


def looked_back(definition: Definition) -> set[str]:
    """Give the events that its waits look back on."""
    return {
        action.wait_for_trigger.event
        for _, action in actions(definition.actions, ("actions",))
        if isinstance(action, Wait) and action.wait_for_trigger.lookback is not None
    }


def texts(definition: Definition, catalog: Catalog | None = None) -> Iterator[Text]:
    """Give every expression and template of a definition, in document order.

    Fields that the catalog knows as source code have braces of their own, and are left out.
    """
    for index, trigger in enumerate(definition.triggers):
        place: Path = ("triggers", index)
        if trigger.filter and trigger.filter.strip():
            yield Text((*place, "filter"), trigger.filter, "expression", trigger.event)
        if trigger.cancel_filter and trigger.cancel_filter.strip():
            yield Text(
                (*place, "cancel_filter"), trigger.cancel_filter, "expression", trigger.event
            )
        if trigger.window and trigger.window.partition_by:
            path = (*place, "window", "partition_by")
            yield Text(path, trigger.window.partition_by, "expression", trigger.event)
        if trigger.for_ and trigger.for_.template:
            path = (*place, "for", "template")
            yield Text(path, trigger.for_.template, "expression", trigger.event)
        if trigger.max_age and trigger.max_age.template:
            path = (*place, "max_age", "template")
            yield Text(path, trigger.max_age.template, "expression", trigger.event)
        template = (trigger.config or {}).get("value_template")
        if trigger.event == "automation.template" and isinstance(template, str):
            yield Text((*place, "config", "value_template"), template, "expression")
    for index, condition in enumerate(definition.conditions):
        yield from _condition(condition, ("conditions", index))
    for path, action in actions(definition.actions, ("actions",)):
        yield from texts_of(action, path, catalog)


def texts_of(action: Action, path: Path, catalog: Catalog | None = None) -> Iterator[Text]:
    """Give the texts of one action, without those of the actions in it, and source code."""
    match action:
        case ProviderAction():
            yield from _values(rendered(action, catalog), (*path, "config"))
        case Choose():
            for index, branch in enumerate(action.choose):
                yield from _condition(branch.when, (*path, "choose", index, "when"))
        case Repeat():
            yield from _loop(action.repeat, (*path, "repeat"))
        case Delay():
            yield from _text((*path, "delay", "template"), action.delay.template, "expression")
        case Variables():
            yield from _values(action.variables, (*path, "variables"))
        case Guard():
            yield from _condition(action.condition, (*path, "condition"))
        case Stop():
            yield from _text((*path, "stop", "reason"), action.stop.reason, "template")
        case Wait():
            yield from _wait(action, (*path, "wait_for_trigger"))
        case Parallel() | SequenceAction():
            return
        case _:
            assert_never(action)


def _text(path: Path, text: str | None, form: Form) -> Iterator[Text]:
    if text is not None:
        yield Text(path, text, form)


def _loop(loop: Loop, path: Path) -> Iterator[Text]:
    yield from _text((*path, "for_each"), loop.for_each, "expression")
    yield from _text((*path, "while"), loop.while_, "expression")
    yield from _text((*path, "until"), loop.until, "expression")


def _wait(action: Wait, path: Path) -> Iterator[Text]:
    wait = action.wait_for_trigger
    if wait.filter and wait.filter.strip():
        yield Text((*path, "filter"), wait.filter, "expression", wait.event)
    yield from _text((*path, "context_key"), wait.context_key, "template")


def _condition(condition: Condition, path: Path) -> Iterator[Text]:
    match condition:
        case str():
            yield Text(path, condition, "expression")
        case And():
            for index, inner in enumerate(condition.and_):
                yield from _condition(inner, (*path, "and", index))
        case Or():
            for index, inner in enumerate(condition.or_):
                yield from _condition(inner, (*path, "or", index))
        case Not():
            yield from _condition(condition.not_, (*path, "not"))
        case NumericState():
            value = condition.numeric_state.value
            if isinstance(value, str):
                yield Text((*path, "numeric_state", "value"), value, "expression")
        case Time():
            return
        case _:
            assert_never(condition)


def _values(value: Json, path: Path) -> Iterator[Text]:
    """Give the templates in a JSON value; a text without braces is none."""
    if isinstance(value, str):
        if "{{" in value:
            yield Text(path, value, "template")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _values(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _values(inner, (*path, index))
