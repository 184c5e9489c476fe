"""Says what decided whether an expression holds: the comparison, and the values that it saw.

The plan is made when somebody asks for the first time, and evaluated anew each time: an expression
that nobody asks about costs nothing, and judging is as fast as without this.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from types import NoneType
from typing import Any, Final, NamedTuple, TypeAlias, cast

import msgspec
from jinja2 import nodes

from lockstep.model.errors import RenderError
from lockstep.model.program import Decider, Explanation, Operand
from lockstep.model.secrets import MASKER
from lockstep.model.texts import MARK, described, said, storable
from lockstep.render.compare import COMPARISONS
from lockstep.render.compile import LITERALS, Compiler, Run
from lockstep.render.filters import Filters
from lockstep.render.limits import Limits, Work
from lockstep.render.parse import parse_bare
from lockstep.render.values import Missing, Tick, free, kind, measure, to_json, truth
from lockstep.render.written import compared, written

Scope: TypeAlias = Mapping[str, object]

MOST: Final = 4  # comparisons that are told, and values of each: of a long `or` all were false
TEXT_CHARACTERS: Final = 200  # of a part of an expression
VALUE_CHARACTERS: Final = 100  # of a value: a name, a number, a short list
_SHORT: Final = 256  # characters of a text that needs no measuring
_BITS: Final = 64  # of integers that the encoder takes
_LARGEST: Final = 16 * 1024  # bytes of a value that is written out: secrets are looked for in it

_encode = msgspec.json.encode


class _Cause(NamedTuple):
    """What decided: its text, its truth, and the values that it saw, by their texts."""

    text: str
    holds: bool
    values: Sequence[tuple[str, object]]


class _Side(NamedTuple):
    """A part of an expression, and whether its value stands in its text."""

    text: str
    run: Run
    is_written_out: bool

    def told(self, value: object) -> Sequence[tuple[str, object]]:
        """Give the value with the text, unless that says it."""
        return () if self.is_written_out else ((self.text, value),)


_Verdict: TypeAlias = tuple[bool, Sequence[_Cause]]
_Plan: TypeAlias = Callable[[Work], _Verdict]


class Explainer:
    """Explains one expression."""

    def __init__(self, text: str, filters: Filters, limits: Limits) -> None:
        self._text, self._filters, self._limits = text, filters, limits

    @cached_property
    def _plan(self) -> _Plan:
        compiler = Compiler(self._text, self._filters, self._limits)
        return _Planner(compiler).plan(parse_bare(self._text, self._limits), 0)

    def explain(self, scope: Scope) -> Explanation:
        """Say what decides on a scope; it never raises, whatever filters of plug-ins do."""
        work = Work(scope, self._limits)
        try:
            holds, found = self._plan(work)
            deciders = tuple([_decider(one, work.tick) for one in found[:MOST]])
        except RenderError as error:
            return Explanation(holds=False, fault=said(error))
        except Exception as error:  # noqa: BLE001 - whoever judges must not fail for it; it is told
            return Explanation(holds=False, fault=described(error))
        return Explanation(holds, deciders, max(0, len(found) - MOST))


def joined(parts: Iterable[Explanation], *, stop: bool) -> Explanation:
    """Explain `and` and `or`: by the first part whose truth is `stop`, else by all of them."""
    deciders, more = list[Decider](), 0
    for part in parts:
        if part.fault or part.holds is stop:
            return part
        deciders, more = [*deciders, *part.deciders], more + part.more
    more += max(0, len(deciders) - MOST)
    return Explanation(not stop, tuple(deciders[:MOST]), more)


def shown(value: object, tick: Tick = free) -> str:
    """Write a value for people: as JSON, short, without secrets; a large one by its size alone.

    Raises:
        LimitExceeded: The processor time is used up, or it is nested too deep.
    """
    word = _WORDS.get(type(value))
    if word is not None:
        return word(value)
    if (type(value) is int and value.bit_length() < _BITS) or (
        type(value) is str and len(value) <= _SHORT
    ):
        text = _encode(value).decode()  # by far the most frequent of all, so it is kept fast
    elif measure(value, _LARGEST, 0, tick) > _LARGEST:
        size = f" of {len(value):,}" if isinstance(value, str | list | Mapping) else ""
        return f"{kind(value)}{size}, too large to be shown"
    else:
        text = to_json(value, 8 * _LARGEST, 0, tick)
    # What stands in it is cut at last: half of a secret would not be masked.
    return _cut(MASKER.text(text), VALUE_CHARACTERS)


_WORDS: Final[Mapping[type, Callable[[Any], str]]] = {
    Missing: lambda _: "missing",
    NoneType: lambda _: "null",
    bool: lambda value: "true" if value else "false",
}
"""What is never long, and no secret."""


class _Planner:
    """Makes the plan of an expression: what decides of it is found as it is evaluated."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler

    def plan(self, node: nodes.Expr, depth: int) -> _Plan:
        match node:
            case nodes.Not():
                return _denied(self.plan(node.node, depth + 1))
            case nodes.And() | nodes.Or():
                return self._logic(node, depth)
            case nodes.CondExpr():
                return self._choice(node, depth)
            case nodes.Compare():
                return self._compare(node, depth)
            case _:
                return self._other(node, depth)

    def _logic(self, node: nodes.BinExpr, depth: int) -> _Plan:
        """Find the operand that decides; where none does by itself, all of them have decided."""
        stop, chain = isinstance(node, nodes.Or), type(node)
        operands, left = list[nodes.Expr](), cast("nodes.Expr", node)
        while isinstance(left, chain):
            operands.append(left.right)
            left = left.left
        plans = [self.plan(one, depth + 1) for one in [left, *reversed(operands)]]

        def run(work: Work) -> _Verdict:
            every = list[_Cause]()
            work.tick(len(plans))
            for plan in plans:
                holds, found = plan(work)
                if holds is stop:
                    return holds, found
                every += found
            return not stop, every

        return run

    def _choice(self, node: nodes.CondExpr, depth: int) -> _Plan:
        """Tell what chose, and what decided of the part that was chosen."""
        test, then = self.plan(node.test, depth + 1), self.plan(node.expr1, depth + 1)
        other = _nothing if node.expr2 is None else self.plan(node.expr2, depth + 1)

        def run(work: Work) -> _Verdict:
            is_first, chose = test(work)
            holds, found = then(work) if is_first else other(work)
            return holds, [*chose, *found]

        return run

    def _compare(self, node: nodes.Compare, depth: int) -> _Plan:
        """Find the first comparison of a chain that is false; else all of them have decided."""
        sides = [node.expr, *(link.expr for link in node.ops)]
        parts = [self._part(side, depth + 1) for side in sides]
        links = [
            (_cut(compared(left, link), TEXT_CHARACTERS), COMPARISONS[link.op])
            for left, link in zip(sides, node.ops, strict=False)
        ]

        def run(work: Work) -> _Verdict:
            every, left = list[_Cause](), parts[0].run(work)
            for (text, compare), (before, part) in zip(links, pairwise(parts), strict=True):
                right = part.run(work)
                work.tick()
                holds = compare(work, left, right)
                found = _Cause(text, holds, [*before.told(left), *part.told(right)])
                if not holds:
                    return False, [found]
                every.append(found)
                left = right
            return True, every

        return run

    def _other(self, node: nodes.Expr, depth: int) -> _Plan:
        """Tell the value of what is no comparison; of filters and tests, what they were given."""
        whole = self._part(node, depth)
        beside = [self._part(one, depth + 1) for one in _given(node)]

        def run(work: Work) -> _Verdict:
            value = whole.run(work)
            values = [pair for part in beside for pair in part.told(part.run(work))]
            if not values or not isinstance(value, bool):
                values = [*whole.told(value), *values]
            return truth(value), [_Cause(whole.text, truth(value), values)]

        return run

    def _part(self, node: nodes.Expr, depth: int) -> _Side:
        run = self._compiler.compile(node, depth)
        return _Side(_cut(written(node), TEXT_CHARACTERS), run, _is_written_out(node))


def _given(node: nodes.Expr) -> list[nodes.Expr]:
    """Give what filters or a test were given: what stands before them, and the arguments."""
    if not isinstance(node, nodes.Filter | nodes.Test):
        return []
    begin: nodes.Expr | None = node.node
    while isinstance(node, nodes.Filter) and isinstance(begin, nodes.Filter):
        begin = begin.node
    return [one for one in [begin, *node.args] if one is not None]


def _is_written_out(node: nodes.Expr) -> bool:
    """Say whether a value stands in the text, so that nobody has to be told of it."""
    names = [node] if isinstance(node, nodes.Name) else [*node.find_all(nodes.Name)]
    return all(name.name in LITERALS for name in names)


def _denied(inner: _Plan) -> _Plan:
    def run(work: Work) -> _Verdict:
        holds, found = inner(work)
        return not holds, found

    return run


def _nothing(_: Work) -> _Verdict:
    return False, []


def _decider(found: _Cause, tick: Tick) -> Decider:
    values = found.values
    if len(values) > 1:  # what stands on both sides is told once
        values = [*dict(values).items()][:MOST]
    operands = tuple([Operand(text, shown(value, tick)) for text, value in values])
    return Decider(found.text, found.holds, operands)


def _cut(text: str, most: int) -> str:
    """Cut a text, and take out of it what cannot be stored."""
    return storable(text if len(text) <= most else text[: most - 1] + MARK)
