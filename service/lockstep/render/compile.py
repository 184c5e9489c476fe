"""From the syntax tree of Jinja2 to closures of our own.

Jinja2 reads the text; what runs is only what stands here. So keys and items are all that can be
reached, by construction, and whatever is costly passes the account of its evaluation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from jinja2 import nodes

from lockstep.model.errors import RenderError, SyntaxFault
from lockstep.render.calls import Arguments, Binder
from lockstep.render.compare import COMPARISONS, key_of
from lockstep.render.faults import excess, fault, locate, unexpected
from lockstep.render.filters import Filter, Filters
from lockstep.render.limits import Limits, Work
from lockstep.render.operators import OPERATIONS, affirm, concatenate, member, negate, piece
from lockstep.render.values import MISSING, truth

Run: TypeAlias = Callable[[Work], object]
Step: TypeAlias = Callable[[Work, object], object]
Path: TypeAlias = tuple[str, ...]

LITERALS: Final[Mapping[str, object]] = {"null": None, "true": True, "false": False}
_RESERVED: Final = frozenset({"and", "else", "if", "in", "is", "not", "or"})
_POSTFIX: Final = (nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test)
_SUMS: Final = (nodes.Add, nodes.Sub)
_PRODUCTS: Final = (nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod)
_REFUSED: Final[Mapping[type[nodes.Node], tuple[str, str]]] = {
    nodes.Call: ("nothing can be called here", "filters do it instead: `value | upper`"),
    nodes.Pow: ("'**' is no operator of the language", ""),
    nodes.Slice: ("a slice stands alone in its brackets", ""),
}


class Compiler:
    """Compiles the expressions of one text, and notes the names that they refer to.

    Chains (`a.b.c`, `x | f | g`, `1 + 2 + 3`, `a or b or c`) become loops: their length is no
    nesting, and takes no stack.
    """

    def __init__(self, text: str, filters: Filters, limits: Limits) -> None:
        self._text, self._nesting = text, limits.nesting
        self._binder = Binder(self, text, filters, limits)
        self._paths: dict[Path, None] = {}
        self._kinds: Mapping[type[nodes.Node], Callable[[Any, int], Run]] = {
            nodes.Const: self._const,
            nodes.Name: self._postfix,
            **dict.fromkeys(_POSTFIX, self._postfix),
            **dict.fromkeys(_SUMS, lambda node, depth: self._arithmetic(node, depth, _SUMS)),
            **dict.fromkeys(
                _PRODUCTS, lambda node, depth: self._arithmetic(node, depth, _PRODUCTS)
            ),
            nodes.Neg: lambda node, depth: self._sign(node, depth, negate),
            nodes.Pos: lambda node, depth: self._sign(node, depth, affirm),
            nodes.Concat: self._concat,
            nodes.Compare: self._compare,
            nodes.Not: self._not,
            nodes.And: lambda node, depth: self._logic(node, depth, stop=False),
            nodes.Or: lambda node, depth: self._logic(node, depth, stop=True),
            nodes.CondExpr: self._condition,
            nodes.List: self._list,
            nodes.Tuple: self._list,
            nodes.Dict: self._dict,
        }

    @property
    def references(self) -> tuple[Path, ...]:
        """The static paths that occur, from root names on, in the order of their occurrence."""
        return tuple(self._paths)

    @property
    def outdated(self) -> tuple[RenderError, ...]:
        """What works as it has, and may not be written any more."""
        return tuple(self._binder.outdated)

    def compile_root(self, node: nodes.Expr) -> Run:
        """Give the closure of a whole expression.

        Raises:
            SyntaxFault: There is a construct that the language does not have.
            LimitExceeded: It is nested too deep.
        """
        try:
            return self.compile(node, 0)
        except RecursionError:
            raise excess(self._text, node.lineno, "the expression is nested too deep") from None

    def compile(self, node: nodes.Node, depth: int) -> Run:
        """Give the closure of a node.

        Raises:
            SyntaxFault: There is a construct that the language does not have.
            LimitExceeded: It is nested too deep.
        """
        if depth > self._nesting:
            message = f"the expression is nested deeper than {self._nesting}"
            raise excess(self._text, node.lineno, message)
        make = self._kinds.get(type(node))
        if make is None:
            raise self._refused(node)
        return make(node, depth)

    def _refused(self, node: nodes.Node) -> SyntaxFault:
        unknown = f"{type(node).__name__} is no part of the language"
        message, hint = _REFUSED.get(type(node), (unknown, ""))
        written = self._binder.hint(node) if isinstance(node, nodes.Call) else ""
        return fault(self._text, node.lineno, message, written or hint)

    def _const(self, node: nodes.Const, _: int) -> Run:
        value = node.value
        return lambda work: value

    def _postfix(self, node: nodes.Expr, depth: int) -> Run:
        """Compile what stands before members, items, filters and tests, and then those."""
        links: list[nodes.Expr] = []
        while isinstance(node, _POSTFIX):
            links.append(node)
            if node.node is None:  # a block of Jinja2, which the scanner does not let through
                raise self._refused(node)
            node = node.node
        links.reverse()
        begin = self._root(node, links) if isinstance(node, nodes.Name) else None
        if begin is None:
            begin = self.compile(node, depth + 1)
        steps = [self._step(link, depth + 1) for link in links]
        return _stepped(begin, steps) if steps else begin

    def _root(self, node: nodes.Name, links: list[nodes.Expr]) -> Run:
        """Compile a name, with those of the links behind it that are keys which stand there."""
        name = node.name
        if name in LITERALS:
            value = LITERALS[name]
            return lambda work: value
        if name in _RESERVED:
            raise fault(self._text, node.lineno, f"unexpected '{name}'")
        keys: list[str] = []
        while links and (key := _static_key(links[0])) is not None:
            keys.append(key)
            del links[0]
        self._paths[name, *keys] = None
        return _reader(name, keys)

    def _step(self, node: nodes.Expr, depth: int) -> Step:
        match node:
            case nodes.Getattr(attr=name):
                return lambda work, value: member(value, name)
            case nodes.Getitem(arg=nodes.Slice() as bounds):
                return self._slice(bounds, depth)
            case nodes.Getitem(arg=nodes.Tuple()):
                raise fault(self._text, node.lineno, "one key or index is expected in brackets")
            case nodes.Getitem(arg=arg):
                key = self.compile(arg, depth)
                return lambda work, value: member(value, key(work))
            case nodes.Filter():
                call, arguments = self._binder.filter(node, depth)
            case nodes.Test():
                call, arguments = self._binder.test(node, depth)
            case _:
                raise self._refused(node)
        return self._call(call, arguments, node.lineno)

    def _call(self, call: Filter, arguments: Arguments, at: int) -> Step:
        text = self._text

        def step(work: Work, value: object) -> object:
            try:
                args, named = arguments(work)
                work.approach(value)
                made = call(work, value, *args, **named)
                work.account(value, made)
            except RenderError as error:
                locate(error, text, at)
                raise
            except Exception as error:
                raise unexpected(error, text, at) from error
            return made

        return step

    def _slice(self, node: nodes.Slice, depth: int) -> Step:
        bounds = [
            self.compile(bound, depth) if bound is not None else _null
            for bound in (node.start, node.stop, node.step)
        ]
        return lambda work, value: piece(work, value, [bound(work) for bound in bounds])

    def _arithmetic(
        self, node: nodes.BinExpr, depth: int, chain: tuple[type[nodes.BinExpr], ...]
    ) -> Run:
        links: list[nodes.BinExpr] = []
        left: nodes.Expr = node
        while isinstance(left, chain):
            links.append(left)
            left = left.left
        first = self.compile(left, depth + 1)
        rest = [
            (OPERATIONS[type(link).__name__], self.compile(link.right, depth + 1), link.lineno)
            for link in reversed(links)
        ]
        text = self._text

        def run(work: Work) -> object:
            value = first(work)
            for operate, operand, at in rest:
                right = operand(work)
                work.tick()
                try:
                    value = operate(work, value, right)
                except RenderError as error:
                    locate(error, text, at)
                    raise
                except Exception as error:
                    raise unexpected(error, text, at) from error
            return value

        return run

    def _sign(self, node: nodes.UnaryExpr, depth: int, change: Callable[[object], object]) -> Run:
        inner, text, at = self.compile(node.node, depth + 1), self._text, node.lineno

        def run(work: Work) -> object:
            value = inner(work)
            try:
                return change(value)
            except RenderError as error:
                locate(error, text, at)
                raise

        return run

    def _concat(self, node: nodes.Concat, depth: int) -> Run:
        parts = [self.compile(part, depth + 1) for part in node.nodes]
        return lambda work: concatenate(work, [part(work) for part in parts])

    def _compare(self, node: nodes.Compare, depth: int) -> Run:
        first = self.compile(node.expr, depth + 1)
        rest = [(COMPARISONS[link.op], self.compile(link.expr, depth + 1)) for link in node.ops]

        def run(work: Work) -> object:
            left = first(work)
            for compare, operand in rest:
                right = operand(work)
                work.tick()
                if not compare(work, left, right):
                    return False
                left = right
            return True

        return run

    def _not(self, node: nodes.Not, depth: int) -> Run:
        if isinstance(node.node, nodes.Test):
            self._binder.check_test(node.node, node)
        inner = self.compile(node.node, depth + 1)
        return lambda work: not truth(inner(work))

    def _logic(self, node: nodes.BinExpr, depth: int, *, stop: bool) -> Run:
        """Compile `and` and `or`: the first operand whose truth is `stop`, else the last one."""
        operands: list[nodes.Expr] = []
        left: nodes.Expr = node
        while isinstance(left, type(node)):
            operands.append(left.right)
            left = left.left
        runs = [self.compile(operand, depth + 1) for operand in [left, *reversed(operands)]]

        def run(work: Work) -> object:
            value: object = MISSING
            work.tick(len(runs))
            for operand in runs:
                value = operand(work)
                if truth(value) is stop:
                    break
            return value

        return run

    def _condition(self, node: nodes.CondExpr, depth: int) -> Run:
        test, then = self.compile(node.test, depth + 1), self.compile(node.expr1, depth + 1)
        other = self.compile(node.expr2, depth + 1) if node.expr2 is not None else _missing
        return lambda work: then(work) if truth(test(work)) else other(work)

    def _list(self, node: nodes.List | nodes.Tuple, depth: int) -> Run:
        parts = [self.compile(item, depth + 1) for item in node.items]

        def run(work: Work) -> object:
            work.tick(len(parts))
            return [_present(part(work)) for part in parts]

        return run

    def _dict(self, node: nodes.Dict, depth: int) -> Run:
        pairs = [
            (self.compile(pair.key, depth + 1), self.compile(pair.value, depth + 1))
            for pair in node.items
        ]

        def run(work: Work) -> object:
            made: dict[str, object] = {}
            work.tick(len(pairs))
            for key, value in pairs:
                name = key_of(key(work))
                if name is None:
                    raise RenderError("the key of an object must be a text")
                made[name] = _present(value(work))
            return made

        return run


def _static_key(node: nodes.Expr) -> str | None:
    match node:
        case nodes.Getattr(attr=name):
            return name
        case nodes.Getitem(arg=nodes.Const(value=str() as key)):
            return key
    return None


def _reader(name: str, keys: Sequence[str]) -> Run:
    """Read a name and keys behind it: by far the most frequent of all, so it is kept fast."""
    if not keys:
        return lambda work: work.scope.get(name, MISSING)

    def run(work: Work) -> object:
        value = work.scope.get(name, MISSING)
        for key in keys:
            value = value.get(key, MISSING) if type(value) is dict else member(value, key)
        return value

    return run


def _stepped(begin: Run, steps: Sequence[Step]) -> Run:
    if len(steps) == 1:
        only = steps[0]
        return lambda work: only(work, begin(work))

    def run(work: Work) -> object:
        value = begin(work)
        for step in steps:
            value = step(work, value)
        return value

    return run


def _present(value: object) -> object:
    """Give what a list or an object can hold: nothing in JSON is missing."""
    return None if value is MISSING else value


def _missing(_: Work) -> object:
    return MISSING


def _null(_: Work) -> object:
    return None
