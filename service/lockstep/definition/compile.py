"""From the structs of a definition to the tree that matching and the walk work on."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar, assert_never

from lockstep.definition.conditions import compile_condition
from lockstep.definition.tree import rendered
from lockstep.model import program
from lockstep.model.program import Expression, Node, NodeBase, Program, Slot, TriggerRule
from lockstep.model.types import Catalog
from lockstep.render import Renderer
from lockstep_schemas import actions as schema
from lockstep_schemas.base import Json
from lockstep_schemas.definition import Definition, Trigger
from lockstep_schemas.durations import LookBack, total_seconds

NodeT = TypeVar("NodeT", bound=NodeBase)

MAX_ITERATIONS: Final = 1000  # as the schema says of `max_iterations`
MAX_ID: Final = 64  # as the schema says of the id of a trigger


def compile_program(
    definition: Definition, renderer: Renderer, catalog: Catalog | None = None
) -> Program:
    """Compile a definition that was validated; what the catalog knows as source code stays.

    Raises:
        RenderError: An expression or a template is wrong.
    """
    compiler = _Compiler(renderer, catalog)
    ids = derived_ids(definition.triggers)
    return Program(
        triggers=tuple(
            TriggerRule(
                id=trigger_id,
                event=trigger.event,
                filter=compiler.optional(trigger.filter),
                config=trigger.config or {},
                window=compiler.window(trigger),
                hold=compiler.hold(trigger),
                cancel_filter=compiler.optional(trigger.cancel_filter),
                max_age=compiler.max_age(trigger),
            )
            for trigger_id, trigger in zip(ids, definition.triggers, strict=True)
        ),
        conditions=tuple(compile_condition(one, renderer) for one in definition.conditions),
        actions=compiler.nodes(definition.actions),
        mode=definition.mode,
        max_runs=definition.max_runs,
        max_duration_seconds=definition.max_duration_seconds,
        by_context_key=definition.concurrency_scope == "context_key",
    )


def derived_ids(triggers: Sequence[Trigger]) -> list[str]:
    """Give the ids of triggers: given ones as they are, others from their event, all distinct.

    The event in lower case, every run of other characters than a-z and 0-9 one `_`, `t_` before a
    leading digit, cut to 64; where such ids collide, the later ones get `_2`, `_3`.
    """
    taken = {trigger.id for trigger in triggers if trigger.id is not None}
    ids = []
    for trigger in triggers:
        if trigger.id is not None:
            ids.append(trigger.id)
            continue
        base = re.sub("[^a-z0-9]+", "_", trigger.event.lower())
        if not base[:1].isalpha():
            base = f"t_{base.lstrip('_')}"
        found, number = base[:MAX_ID], 1
        while found in taken:
            number += 1
            suffix = f"_{number}"
            found = base[: MAX_ID - len(suffix)] + suffix
        taken.add(found)
        ids.append(found)
    return ids


class _Compiler:
    """Compiles the parts of one definition."""

    def __init__(self, renderer: Renderer, catalog: Catalog | None) -> None:
        self._renderer, self._catalog = renderer, catalog

    def optional(self, text: str | None) -> Expression | None:
        return self._renderer.expression(text) if text and text.strip() else None

    def window(self, trigger: Trigger) -> program.WindowRule | None:
        """Compile the window of a trigger."""
        window = trigger.window
        if window is None:
            return None
        return program.WindowRule(
            count=window.count,
            minutes=window.minutes,
            every=window.refire == "every",
            partition_by=self.optional(window.partition_by),
        )

    def hold(self, trigger: Trigger) -> program.DurationRule | None:
        """Compile the `for` of a trigger; its times become seconds."""
        hold = trigger.for_
        if hold is None:
            return None
        if hold.template is not None:
            return program.DurationRule(seconds=None, template=self.optional(hold.template))
        seconds = (hold.seconds or 0) + 60 * (hold.minutes or 0) + 3600 * (hold.hours or 0)
        return program.DurationRule(seconds=seconds, template=None)

    def max_age(self, trigger: Trigger) -> program.DurationRule | None:
        """Compile the `max_age` of a trigger; its times become seconds."""
        age = trigger.max_age
        if age is None:
            return None
        template = self.optional(age.template)
        seconds = None if template is not None else total_seconds(age)
        return program.DurationRule(seconds=seconds, template=template)

    def slot(self, value: Json) -> Slot:
        """Compile the templates in a JSON value; other texts stay as they are."""
        if isinstance(value, str):
            if "{{" not in value:
                return value
            return self._renderer.template(value)
        if isinstance(value, dict):
            return self.slots(value)
        if isinstance(value, list):
            return [self.slot(inner) for inner in value]
        scalar: Slot = value
        return scalar

    def slots(self, values: Mapping[str, Json]) -> Mapping[str, Slot]:
        return {name: self.slot(value) for name, value in values.items()}

    def nodes(self, some: Sequence[schema.Action]) -> tuple[Node, ...]:
        return tuple(self._node(action) for action in some)

    def _node(self, action: schema.Action) -> Node:
        match action:
            case schema.ProviderAction():
                return _made(program.Provide, action)(
                    action=action.action,
                    config={**action.config, **self.slots(rendered(action, self._catalog))},
                    retry=action.retry or schema.Retry(),
                    timeout_seconds=action.timeout_seconds,
                )
            case schema.Variables():
                return _made(program.Assign, action)(variables=self.slots(action.variables))
            case schema.Guard():
                condition = compile_condition(action.condition, self._renderer)
                return _made(program.Guard, action)(condition=condition)
            case schema.Stop():
                reason = action.stop.reason
                template = None if reason is None else self._renderer.template(reason)
                return _made(program.Stop, action)(reason=template, error=action.stop.error)
            case schema.Delay():
                return _made(program.Delay, action)(
                    seconds=action.delay.seconds, template=self.optional(action.delay.template)
                )
            case schema.Wait():
                return self._wait(action)
            case schema.Choose():
                return self._choose(action)
            case schema.Parallel():
                return _made(program.Parallel, action)(branches=self.nodes(action.parallel))
            case schema.Sequence():
                return _made(program.Sequential, action)(sequence=self.nodes(action.sequence))
            case schema.Repeat():
                return self._repeat(action)
            case _:
                assert_never(action)

    def _wait(self, action: schema.Wait) -> Node:
        wait = action.wait_for_trigger
        key = wait.context_key
        return _made(program.Wait, action)(
            event=wait.event,
            filter=self.optional(wait.filter),
            timeout_seconds=wait.timeout_seconds,
            continue_on_timeout=wait.continue_on_timeout,
            context_key=None if key is None else self._renderer.template(key),
            look_back=_look_back(wait.lookback),
        )

    def _choose(self, action: schema.Choose) -> Node:
        branches = tuple(
            program.Branch(
                when=compile_condition(branch.when, self._renderer),
                sequence=self.nodes(branch.sequence),
            )
            for branch in action.choose
        )
        otherwise = self.nodes(action.else_)
        return _made(program.Choose, action)(branches=branches, otherwise=otherwise)

    def _repeat(self, action: schema.Repeat) -> Node:
        loop = action.repeat
        sequence = self.nodes(loop.sequence)
        make = _made(program.Repeat, action)
        if loop.count is not None:
            return make(how="count", count=loop.count, expression=None, sequence=sequence)
        most = loop.max_iterations or MAX_ITERATIONS
        if loop.for_each is not None:
            how, text, most = "for_each", loop.for_each, 0
        elif loop.while_ is not None:
            how, text = "while", loop.while_
        else:
            how, text = "until", loop.until or ""
        return make(
            how=how, count=most, expression=self._renderer.expression(text), sequence=sequence
        )


def _look_back(wanted: str | LookBack | None) -> float | None:
    if isinstance(wanted, LookBack):
        return total_seconds(wanted)
    return None if wanted is None else 0.0


def _made(kind: type[NodeT], action: schema.Action) -> Callable[..., NodeT]:
    """Begin a node with the fields that every action has."""
    return partial(
        kind, id=action.id, enabled=action.enabled, continue_on_error=action.continue_on_error
    )
