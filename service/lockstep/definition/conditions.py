"""Conditions, compiled: each says whether it holds in a scope, at a time."""

from datetime import datetime
from typing import assert_never
from zoneinfo import ZoneInfo

import msgspec

from lockstep.model.program import Expression, Scope, Test
from lockstep.render import Renderer, as_number
from lockstep_schemas.conditions import And, Condition, Not, NumericBounds, NumericState, Or, Time


def compile_condition(condition: Condition, renderer: Renderer) -> Test:
    """Compile a condition. Raises RenderError."""
    match condition:
        case str():
            return _Bare(renderer.expression(condition))
        case And():
            return _All(tuple(compile_condition(inner, renderer) for inner in condition.and_))
        case Or():
            return _Any(tuple(compile_condition(inner, renderer) for inner in condition.or_))
        case Not():
            return _Not(compile_condition(condition.not_, renderer))
        case NumericState():
            return _numeric(condition.numeric_state, renderer)
        case Time():
            window = condition.time
            days = None if window.weekday is None else frozenset(window.weekday)
            return _Time(window.after, window.before, days, ZoneInfo(window.timezone))
        case _:
            assert_never(condition)


def _numeric(bounds: NumericBounds, renderer: Renderer) -> Test:
    value = bounds.value
    compiled = renderer.expression(value) if isinstance(value, str) else value
    return _Numeric(compiled, bounds.above, bounds.below)


class _Bare(msgspec.Struct, frozen=True):
    """A condition that is an expression."""

    expression: Expression

    def holds(self, scope: Scope, _: datetime) -> bool:
        return self.expression.holds(scope)


class _All(msgspec.Struct, frozen=True):
    tests: tuple[Test, ...]

    def holds(self, scope: Scope, now: datetime) -> bool:
        return all(test.holds(scope, now) for test in self.tests)


class _Any(msgspec.Struct, frozen=True):
    tests: tuple[Test, ...]

    def holds(self, scope: Scope, now: datetime) -> bool:
        return any(test.holds(scope, now) for test in self.tests)


class _Not(msgspec.Struct, frozen=True):
    test: Test

    def holds(self, scope: Scope, now: datetime) -> bool:
        return not self.test.holds(scope, now)


class _Numeric(msgspec.Struct, frozen=True):
    """A number strictly between bounds; what is no number is in no bounds."""

    value: float | Expression
    above: float | None
    below: float | None

    def holds(self, scope: Scope, _: datetime) -> bool:
        value = self.value
        number = as_number(value if isinstance(value, int | float) else value.evaluate(scope))
        if number is None:
            return False
        if self.above is not None and not number > self.above:
            return False
        return self.below is None or number < self.below


class _Time(msgspec.Struct, frozen=True):
    """A part of the local day or week: `after` belongs to it, `before` does not.

    The same time for both is the whole day: it begins there, and ends there.
    """

    after: str | None
    before: str | None
    weekday: frozenset[int] | None
    zone: ZoneInfo

    def holds(self, _: Scope, now: datetime) -> bool:
        local = now.astimezone(self.zone)
        if self.weekday is not None and local.isoweekday() % 7 not in self.weekday:
            return False
        clock = f"{local.hour:02}:{local.minute:02}"
        late = self.after is None or clock >= self.after
        early = self.before is None or clock < self.before
        if self.after is not None and self.before is not None and self.after >= self.before:
            return late or early
        return late and early
