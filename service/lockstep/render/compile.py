"""From the syntax tree of Jinja2 to closures of our own.

Jinja2 reads the text; what runs is only what stands in this table. So nothing but keys and items
can be reached, by construction, and every costly step passes the budget.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from jinja2 import nodes

from lockstep.model.errors import LimitExceeded, RenderError, SyntaxFault
from lockstep.render.filters import Filter, bind
from lockstep.render.limits import Budget
from lockstep.render.operators import ARITHMETIC, concatenate, negate, positive
from lockstep.render.predicates import TESTS
from lockstep.render.values import MISSING, contains, equal, less, member, truth

Scope = Mapping[str, object]
Evaluate = Callable[[Scope, Budget], object]

LITERALS: Final[Mapping[str, object]] = {"null": None, "true": True, "false": False, "none": None}
COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": equal,
    "ne": lambda a, b: not equal(a, b),
    "lt": less,
    "lteq": lambda a, b: less(a, b, or_equal=True),
    "gt": lambda a, b: less(b, a),
    "gteq": lambda a, b: less(b, a, or_equal=True),
    "in": lambda a, b: contains(b, a),
    "notin": lambda a, b: not contains(b, a),
}


class Compiler:
    """Compiles one expression; notes the names that it refers to."""

    def __init__(self, filters: Mapping[str, Filter], nesting: int) -> None:
        self._filters, self._nesting = filters, nesting
        self.references: set[tuple[str, ...]] = set()

    def compile(self, node: nodes.Node, depth: int = 0) -> Evaluate:
        """Give the closure of a node.

        Raises:
            SyntaxFault: A construct that the language does not have.
            LimitExceeded: It is nested too deep.
        """
        if depth > self._nesting:
            raise LimitExceeded(f"the expression is nested deeper than {self._nesting}")
        visit = getattr(self, f"_{type(node).__name__}", None)
        if visit is None:
            raise _refused(node)
        made: Evaluate = visit(node, depth)
        return made

    def _Const(self, node: nodes.Const, _: int) -> Evaluate:  # noqa: N802 - the node's name
        value = node.value
        return lambda scope, budget: value

    def _Name(self, node: nodes.Name, _: int) -> Evaluate:  # noqa: N802
        name = node.name
        if name in LITERALS:
            value = LITERALS[name]
            return lambda scope, budget: value
        self.references.add((name,))
        return lambda scope, budget: scope.get(name, MISSING)

    def _path(self, node: nodes.Node) -> tuple[str, ...] | None:
        """Give the static chain of names that a node is, if it is one."""
        if isinstance(node, nodes.Name):
            return None if node.name in LITERALS else (node.name,)
        key: object = None
        if isinstance(node, nodes.Getattr):
            key = node.attr
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            key = node.arg.value
        if not isinstance(key, str):
            return None
        inner = self._path(node.node)  # type: ignore[attr-defined] # both kinds have it
        return None if inner is None else (*inner, key)

    def _chain(self, path: tuple[str, ...]) -> Evaluate:
        self.references.add(path)
        root, *keys = path

        def evaluate(scope: Scope, budget: Budget) -> object:
            value = scope.get(root, MISSING)
            for key in keys:
                # Most members are keys of objects: the short way for those.
                value = value.get(key, MISSING) if type(value) is dict else member(value, key)
            return value

        return evaluate

    def _Getattr(self, node: nodes.Getattr, depth: int) -> Evaluate:  # noqa: N802
        path = self._path(node)
        if path is not None:
            return self._chain(path)
        inner, key = self.compile(node.node, depth + 1), node.attr
        return lambda scope, budget: member(inner(scope, budget), key)

    def _Getitem(self, node: nodes.Getitem, depth: int) -> Evaluate:  # noqa: N802
        path = self._path(node)
        if path is not None:
            return self._chain(path)
        inner = self.compile(node.node, depth + 1)
        if isinstance(node.arg, nodes.Slice):
            return self._sliced(inner, node.arg, depth)
        key = self.compile(node.arg, depth + 1)
        return lambda scope, budget: member(inner(scope, budget), key(scope, budget))

    def _sliced(self, inner: Evaluate, node: nodes.Slice, depth: int) -> Evaluate:
        parts = [
            self.compile(part, depth + 1) if part is not None else None
            for part in (node.start, node.stop, node.step)
        ]

        def evaluate(scope: Scope, budget: Budget) -> object:
            value = inner(scope, budget)
            budget.tick()
            bounds = [part(scope, budget) if part else None for part in parts]
            whole = all(bound is None or type(bound) is int for bound in bounds)
            if not isinstance(value, str | list) or not whole or bounds[2] == 0:
                return MISSING
            start, stop, step = cast("list[int | None]", bounds)
            return value[start:stop:step]

        return evaluate

    def _Filter(self, node: nodes.Filter, depth: int) -> Evaluate:  # noqa: N802
        if node.node is None or node.dyn_args is not None or node.dyn_kwargs is not None:
            raise _refused(node)
        inner = self.compile(node.node, depth + 1)
        args = [self.compile(arg, depth + 1) for arg in node.args]
        named = {str(pair.key): self.compile(pair.value, depth + 1) for pair in node.kwargs}
        call = bind(self._filters, node.name, len(args), set(named), node.lineno)

        def evaluate(scope: Scope, budget: Budget) -> object:
            value = inner(scope, budget)
            budget.check()
            given = [arg(scope, budget) for arg in args]
            more = {name: arg(scope, budget) for name, arg in named.items()}
            return call(scope, budget, value, given, more)

        return evaluate

    def _Test(self, node: nodes.Test, depth: int) -> Evaluate:  # noqa: N802
        test = TESTS.get(node.name)
        if test is None or node.kwargs or len(node.args) > 1:
            known = ", ".join(sorted(TESTS))
            raise SyntaxFault(f"unknown test '{node.name}'", line=node.lineno, hint=known)
        inner = self.compile(node.node, depth + 1)
        args = [self.compile(arg, depth + 1) for arg in node.args]

        def evaluate(scope: Scope, budget: Budget) -> object:
            budget.tick()
            return test(inner(scope, budget), *[arg(scope, budget) for arg in args])

        return evaluate

    def _CondExpr(self, node: nodes.CondExpr, depth: int) -> Evaluate:  # noqa: N802
        test, then = self.compile(node.test, depth + 1), self.compile(node.expr1, depth + 1)
        other = self.compile(node.expr2, depth + 1) if node.expr2 is not None else _missing
        return lambda scope, budget: (
            then(scope, budget) if truth(test(scope, budget)) else other(scope, budget)
        )

    def _flat(self, node: nodes.BinExpr, depth: int) -> list[Evaluate]:
        """Compile a chain of one operator as one list: its length is no nesting."""
        right: list[nodes.Node] = []
        left: nodes.Node = node
        while type(left) is type(node):
            right.append(left.right)
            left = left.left
        return [self.compile(part, depth + 1) for part in [left, *reversed(right)]]

    def _And(self, node: nodes.And, depth: int) -> Evaluate:  # noqa: N802
        parts = self._flat(node, depth)

        def evaluate(scope: Scope, budget: Budget) -> object:
            value: object = True
            for part in parts:
                value = part(scope, budget)
                if not truth(value):
                    break
            return value

        return evaluate

    def _Or(self, node: nodes.Or, depth: int) -> Evaluate:  # noqa: N802
        parts = self._flat(node, depth)

        def evaluate(scope: Scope, budget: Budget) -> object:
            value: object = False
            for part in parts:
                value = part(scope, budget)
                if truth(value):
                    break
            return value

        return evaluate

    def _Not(self, node: nodes.Not, depth: int) -> Evaluate:  # noqa: N802
        inner = self.compile(node.node, depth + 1)
        return lambda scope, budget: not truth(inner(scope, budget))

    def _Compare(self, node: nodes.Compare, depth: int) -> Evaluate:  # noqa: N802
        first = self.compile(node.expr, depth + 1)
        rest = [(COMPARE[op.op], self.compile(op.expr, depth + 1)) for op in node.ops]

        def evaluate(scope: Scope, budget: Budget) -> object:
            left = first(scope, budget)
            for compare, operand in rest:
                right = operand(scope, budget)
                budget.tick()
                if isinstance(left, str | list | dict) and isinstance(right, str | list | dict):
                    budget.check()
                if not compare(left, right):
                    return False
                left = right
            return True

        return evaluate

    def _arithmetic(self, node: nodes.BinExpr, depth: int) -> Evaluate:
        apply = ARITHMETIC[type(node).__name__]
        first, *rest = self._flat(node, depth)

        def evaluate(scope: Scope, budget: Budget) -> object:
            value = first(scope, budget)
            for part in rest:
                value = apply(value, part(scope, budget), budget)
            return value

        return evaluate

    _Add = _Sub = _Mul = _Div = _FloorDiv = _Mod = _arithmetic

    def _Concat(self, node: nodes.Concat, depth: int) -> Evaluate:  # noqa: N802
        parts = [self.compile(part, depth + 1) for part in node.nodes]
        return lambda scope, budget: concatenate([part(scope, budget) for part in parts], budget)

    def _Neg(self, node: nodes.Neg, depth: int) -> Evaluate:  # noqa: N802
        inner = self.compile(node.node, depth + 1)
        return lambda scope, budget: negate(inner(scope, budget))

    def _Pos(self, node: nodes.Pos, depth: int) -> Evaluate:  # noqa: N802
        inner = self.compile(node.node, depth + 1)
        return lambda scope, budget: positive(inner(scope, budget))

    def _List(self, node: nodes.List, depth: int) -> Evaluate:  # noqa: N802
        items = [self.compile(item, depth + 1) for item in node.items]
        return lambda scope, budget: [_null(item(scope, budget)) for item in items]

    _Tuple = _List

    def _Dict(self, node: nodes.Dict, depth: int) -> Evaluate:  # noqa: N802
        pairs = [
            (self.compile(pair.key, depth + 1), self.compile(pair.value, depth + 1))
            for pair in node.items
        ]

        def evaluate(scope: Scope, budget: Budget) -> object:
            made = {}
            for key, value in pairs:
                name = key(scope, budget)
                if not isinstance(name, str):
                    raise RenderError("the key of an object must be a text")
                made[name] = _null(value(scope, budget))
            return made

        return evaluate


def _missing(_: Scope, __: Budget) -> object:
    return MISSING


def _null(value: object) -> object:
    return None if value is MISSING else value


def _refused(node: nodes.Node) -> SyntaxFault:
    names = {
        "Call": "calls are not part of the language; use a filter: `value | filter(arguments)`",
        "Pow": "`**` is not part of the language",
    }
    name = type(node).__name__
    text = names.get(name, f"{name} is not part of the language")
    return SyntaxFault(text, line=node.lineno)
