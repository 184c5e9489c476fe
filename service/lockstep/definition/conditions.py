"""Conditions, compiled: each says whether it holds in a scope, at a time."""

from datetime import datetime
from typing import Final, assert_never
from zoneinfo import ZoneInfo

import msgspec

from lockstep.model.errors import RenderError
from lockstep.model.program import Decider, Explanation, Expression, Operand, Scope, Test
from lockstep.model.texts import said
from lockstep.render import Renderer, as_number, joined, shown
from lockstep_schemas.conditions import And, Condition, Not, NumericBounds, NumericState, Or, Time

_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


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

    def explain(self, scope: Scope, _: datetime) -> Explanation:
        return self.expression.explain(scope)


class _All(msgspec.Struct, frozen=True):
    tests: tuple[Test, ...]

    def holds(self, scope: Scope, now: datetime) -> bool:
        return all(test.holds(scope, now) for test in self.tests)

    def explain(self, scope: Scope, now: datetime) -> Explanation:
        return joined((test.explain(scope, now) for test in self.tests), stop=False)


class _Any(msgspec.Struct, frozen=True):
    tests: tuple[Test, ...]

    def holds(self, scope: Scope, now: datetime) -> bool:
        return any(test.holds(scope, now) for test in self.tests)

    def explain(self, scope: Scope, now: datetime) -> Explanation:
        return joined((test.explain(scope, now) for test in self.tests), stop=True)


class _Not(msgspec.Struct, frozen=True):
    test: Test

    def holds(self, scope: Scope, now: datetime) -> bool:
        return not self.test.holds(scope, now)

    def explain(self, scope: Scope, now: datetime) -> Explanation:
        inner = self.test.explain(scope, now)
        return inner if inner.fault else msgspec.structs.replace(inner, holds=not inner.holds)


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

    def explain(self, scope: Scope, now: datetime) -> Explanation:
        value = self.value
        text = f"{value:g}" if isinstance(value, int | float) else value.text
        above = "" if self.above is None else f"{self.above:g} < "
        below = "" if self.below is None else f" < {self.below:g}"
        try:
            seen = () if isinstance(value, int | float) else (_seen(value, scope),)
            decider = Decider(f"{above}{text}{below}", self.holds(scope, now), seen)
        except RenderError as error:
            return Explanation(holds=False, fault=said(error))
        return Explanation(decider.holds, (decider,))


def _seen(expression: Expression, scope: Scope) -> Operand:
    value = expression.evaluate(scope)
    return Operand(expression.text, "missing or null" if value is None else shown(value))


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

    def explain(self, scope: Scope, now: datetime) -> Explanation:
        local = now.astimezone(self.zone)
        days = ", ".join(_DAYS[day] for day in sorted(self.weekday or ()))
        bounds = {"after": self.after, "before": self.before, "on": days}
        text = "time " + ", ".join(f"{name} {bound}" for name, bound in bounds.items() if bound)
        moment = f"{_DAYS[local.isoweekday() % 7]} {local:%H:%M}"
        seen = Operand(f"the time in {self.zone.key}", moment)
        decider = Decider(text, self.holds(scope, now), (seen,))
        return Explanation(decider.holds, (decider,))
