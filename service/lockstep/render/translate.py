"""Says how what other languages of templates have is written here.

Calls, filters and tests that are not there become those that are, wherever they stand in an
expression; what comes out is written again, so a hint compiles.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from jinja2 import nodes

from lockstep.render import elsewhere
from lockstep.render.filters import Filters, misfit
from lockstep.render.limits import DEFAULT
from lockstep.render.loops import TESTED
from lockstep.render.parse import parse_bare
from lockstep.render.predicates import PREDICATES
from lockstep.render.written import written

HANDED: Final = 2
"""A filter or a test is handed the account and the value before the author's arguments."""

_LIKENESS: Final = 0.7  # of two names: below, one is not a slip of the other
_DEEPEST: Final = 16  # levels of an expression: with more, nobody would read the hint
_MOST_CHARACTERS: Final = 300  # likewise
_FILTERS: Final = (elsewhere.FILTERS, elsewhere.METHODS)
_METHODS: Final = _FILTERS[::-1]
_LEFT_OUT: Final = "yzw"  # names for arguments that are left out
_HOLE: Final = re.compile(r"\{(x|\d)(#?)(?::([^}]*))?\}")


class Unwritable(Exception):
    """There is nothing to write for it; the text may say what else to do."""


@dataclass(frozen=True, slots=True)
class _Foreign:
    """What a filter, a test, a method or a function is asked for."""

    name: str
    before: nodes.Expr
    args: Sequence[nodes.Expr]
    named: Sequence[nodes.Keyword] = ()

    @property
    def plain(self) -> str:
        """The name as the tables have it."""
        return plain(self.name)

    def entry(self, tables: Sequence[Mapping[str, str]]) -> str:
        """Give what the first of some tables has for it, or nothing."""
        keys = (f"{self.plain}/{len(self.args)}", self.plain)
        return next((table[key] for table in tables for key in keys if key in table), "")


class Translator:
    """Says what to write, with the filters that there are."""

    def __init__(self, filters: Filters) -> None:
        self._filters = filters
        self._kept: nodes.Node | None = None

    def hint(self, node: nodes.Expr) -> str:
        """Say what to write for an expression, or what to do instead, or nothing."""
        for self._kept in (None, _receiver(node)):
            try:
                text = written(self._expression(node, 0))
            except Unwritable as error:
                if str(error):
                    return str(error)
            else:
                if len(text) <= _MOST_CHARACTERS:
                    return f"write `{text}`"
        return ""

    def near(self, name: str, known: Iterable[str]) -> str:
        """Say which name may be meant, or nothing."""
        found = get_close_matches(name, list(known), 1, _LIKENESS)
        return f"did you mean `{found[0]}`?" if found else ""

    def _translated(self, node: nodes.Node, depth: int) -> nodes.Node:
        if node is self._kept:
            return nodes.Name("value", "load")
        if depth > _DEEPEST:
            raise Unwritable
        match node:
            case nodes.Filter() | nodes.Test() | nodes.Call():
                return self._asked(node, depth + 1)
            case nodes.Pow() | nodes.Getitem(arg=nodes.Tuple()):
                raise Unwritable
            case _:
                return _rebuilt(node, lambda inner: self._translated(inner, depth + 1))

    def _asked(self, node: nodes.Filter | nodes.Test | nodes.Call, depth: int) -> nodes.Expr:
        """Translate what it is asked of and with, then itself."""
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise Unwritable
        args = [self._expression(arg, depth) for arg in node.args]
        named = [
            nodes.Keyword(str(pair.key), self._expression(pair.value, depth))
            for pair in node.kwargs
        ]
        match node:
            case nodes.Call(node=nodes.Getattr(node=inner, attr=name)):
                return self._method(_Foreign(name, self._expression(inner, depth), args, named))
            case nodes.Call(node=nodes.Name(name=name)):
                return self._function(_Foreign(name, nodes.Name("x", "load"), args, named))
            case nodes.Filter(node=nodes.Expr() as inner, name=name):
                return self._filter(_Foreign(name, self._expression(inner, depth), args, named))
            case nodes.Test(node=inner, name=name):
                return self._test(_Foreign(name, self._expression(inner, depth), args, named))
            case _:
                raise Unwritable

    def _expression(self, node: nodes.Node, depth: int) -> nodes.Expr:
        made = self._translated(node, depth)
        if not isinstance(made, nodes.Expr):
            raise Unwritable
        return made

    def _filter(self, asked: _Foreign) -> nodes.Expr:
        first = asked.args[0] if asked.args else None
        if asked.name == "map" and isinstance(first, nodes.Const):
            return self._map(asked, first)
        if asked.name in TESTED and len(asked.args) > TESTED[asked.name].before:
            return self._select(asked)
        return self._known(asked) or self._from_table(_FILTERS, asked)

    def _map(self, asked: _Foreign, word: nodes.Const) -> nodes.Expr:
        """Have a filter that is there applied; a name that no filter has is that of a member."""
        name, one = str(word.value), nodes.Name("x", "load")
        inner = _Foreign(name, one, asked.args[1:], asked.named)
        made = self._known(inner)
        if made is None and inner.entry(_FILTERS):
            made = self._from_table(_FILTERS, inner)
        if isinstance(made, nodes.Filter) and made.node is one:
            args = [nodes.Const(made.name), *made.args]
            return nodes.Filter(asked.before, "map", args, made.kwargs, None, None)
        if made is not None or inner.args or inner.named or self.near(name, self._filters.names()):
            raise Unwritable
        member = nodes.Keyword("attribute", word)
        return nodes.Filter(asked.before, "map", [], [member], None, None)

    def _select(self, asked: _Foreign) -> nodes.Expr:
        """Have a test that is there applied; others can be asked of one value only."""
        place = TESTED[asked.name].before
        word, args = asked.args[place], list(asked.args)
        if not isinstance(word, nodes.Const) or asked.named:
            raise Unwritable
        inner = _Foreign(str(word.value), nodes.Name("x", "load"), asked.args[place + 1 :])
        match self._test(inner):
            case nodes.Test(node=nodes.Name(), name=name):
                args[place] = nodes.Const(name)
            case nodes.Compare(expr=nodes.Name(), ops=[nodes.Operand(op="eq")]):
                args[place] = nodes.Const("==")
            case made:
                text = written(made)
                raise Unwritable(f"no test does it; of a value that stands alone write `{text}`")
        return nodes.Filter(asked.before, asked.name, args, [], None, None)

    def _test(self, asked: _Foreign) -> nodes.Expr:
        predicate = PREDICATES.get(asked.name)
        if predicate is None:
            return self._from_table([elsewhere.TESTS], asked)
        if asked.named or misfit(predicate, HANDED, len(asked.args), []):
            raise Unwritable
        return nodes.Test(asked.before, asked.name, list(asked.args), [], None, None)

    def _method(self, asked: _Foreign) -> nodes.Expr:
        if isinstance(asked.before, nodes.Const):
            quoted = _Foreign(f"'{asked.name}", asked.before, asked.args)
            if quoted.entry([elsewhere.METHODS]):
                return self._from_table(_METHODS, quoted)
        found = None if asked.entry([elsewhere.METHODS]) else self._known(asked)
        return found or self._from_table(_METHODS, asked)

    def _function(self, asked: _Foreign) -> nodes.Expr:
        """Take it by its own table, else as a filter of its first argument."""
        if asked.entry([elsewhere.FUNCTIONS]):
            return self._from_table([elsewhere.FUNCTIONS], asked)
        if not asked.args:
            raise Unwritable(elsewhere.NONE.get(asked.plain, ""))
        first, *rest = asked.args
        inner = _Foreign(asked.name, first, rest, asked.named)
        return self._known(inner) or self._from_table(_FILTERS, inner)

    def _known(self, asked: _Foreign) -> nodes.Expr | None:
        """Give a filter that is there, also by another spelling; None if there is none."""
        name = asked.name
        if self._filters.find(name) is None:
            alike = [one for one in self._filters.names() if plain(one) == asked.plain]
            name = alike[0] if alike else ""
        known, keys = self._filters.find(name), [pair.key for pair in asked.named]
        if known is None or (name == "map" and asked.args):
            return None
        if misfit(known.function, known.handed, len(asked.args), keys):
            return None
        return nodes.Filter(asked.before, name, list(asked.args), list(asked.named), None, None)

    def _from_table(self, tables: Sequence[Mapping[str, str]], asked: _Foreign) -> nodes.Expr:
        entry = asked.entry(tables)
        if not entry:
            raise Unwritable(elsewhere.NONE.get(asked.plain, ""))
        return _filled(entry, asked)


def _filled(entry: str, asked: _Foreign) -> nodes.Expr:
    """Put what is asked into an entry of a table: names for its holes, then what they stand for."""
    holes: dict[str, nodes.Node] = {}

    def name(hole: re.Match[str]) -> str:
        which, length, other = hole.groups()
        node = asked.before
        if which != "x":
            place = int(which)
            if place >= len(asked.args) and other is not None:
                return str(other)
            given = [
                *asked.args,
                *[nodes.Name(one, "load") for one in _LEFT_OUT[len(asked.args) :]],
            ]
            node = given[place]
        named = f"hole_{which}{'_length' if length else ''}"
        holes[named] = _length(node) if length else node
        return named

    def put(node: nodes.Node) -> nodes.Node:
        found = holes.get(node.name) if isinstance(node, nodes.Name) else None
        return found or _rebuilt(node, put)

    made = put(parse_bare(_HOLE.sub(name, entry), DEFAULT))
    assert isinstance(made, nodes.Expr)  # noqa: S101 - as what was parsed
    return made


def _length(node: nodes.Expr) -> nodes.Expr:
    """Give the length of a text that is written out, or how it is asked for."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        return nodes.Const(len(node.value))
    return nodes.Filter(node, "length", [], [], None, None)


def _rebuilt(node: nodes.Node, change: Callable[[nodes.Node], nodes.Node]) -> nodes.Node:
    """Give a node of the same kind with all below it changed."""

    def field(value: object) -> object:
        if isinstance(value, list):
            return [field(one) for one in value]
        return change(value) if isinstance(value, nodes.Node) else value

    return type(node)(*[field(value) for _, value in node.iter_fields()])


def _receiver(node: nodes.Expr) -> nodes.Node | None:
    """Give what stands before a filter, a test or a method."""
    match node:
        case nodes.Call(node=nodes.Getattr(node=inner)):
            return inner
        case nodes.Filter(node=inner) | nodes.Test(node=inner):
            return inner
        case _:
            return None


def plain(name: str) -> str:
    """Give a name as the tables have it: `toNiceJson` and `to_nice_json` are one."""
    return name.replace("_", "").lower()
