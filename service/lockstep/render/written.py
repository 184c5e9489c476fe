"""Writes expressions again, from their syntax tree: for people who look for what decided."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from jinja2 import nodes

_ANY, _OR, _AND, _NOT, _COMPARED, _SUM, _JOINED, _PRODUCT, _FILTERED, _SIGNED, _WHOLE = range(11)
"""How strongly parts of an expression hold together: a weaker one stands in brackets."""

_COMPARISONS: Final[Mapping[str, str]] = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "lteq": "<=",
    "gt": ">",
    "gteq": ">=",
    "in": "in",
    "notin": "not in",
}
_BINARY: Final[Mapping[type[nodes.Node], tuple[str, int]]] = {
    nodes.Or: ("or", _OR),
    nodes.And: ("and", _AND),
    nodes.Add: ("+", _SUM),
    nodes.Sub: ("-", _SUM),
    nodes.Mul: ("*", _PRODUCT),
    nodes.Div: ("/", _PRODUCT),
    nodes.FloorDiv: ("//", _PRODUCT),
    nodes.Mod: ("%", _PRODUCT),
}
_WORDS: Final[Mapping[object, str]] = {None: "null", True: "true", False: "false"}


def written(node: nodes.Node) -> str:
    """Write an expression: the same, but for spaces, brackets and quotes."""
    return _written(node, _ANY)


def compared(left: nodes.Node, link: nodes.Operand) -> str:
    """Write one comparison of a chain of them, with what stands before it."""
    return f"{_written(left, _SUM)} {_COMPARISONS[link.op]} {_written(link.expr, _SUM)}"


def _written(node: nodes.Node, at_least: int) -> str:
    if isinstance(node, nodes.BinExpr):
        _, strength = _BINARY[type(node)]
        text = _binary(node, strength)
    else:
        text, strength = _KINDS[type(node)](node)
    return text if strength >= at_least else f"({text})"


def _binary(node: nodes.Expr, strength: int) -> str:
    """Write a chain from its right end on: its length is no nesting."""
    parts = list[str]()
    while isinstance(node, nodes.BinExpr):
        sign, own = _BINARY[type(node)]
        if own != strength:
            break
        parts += [_written(node.right, strength + 1), sign]
        node = node.left
    return " ".join([_written(node, strength + 1), *reversed(parts)])


def _constant(node: nodes.Const) -> tuple[str, int]:
    value = node.value
    is_word = value is None or isinstance(value, bool)
    return _WORDS[value] if is_word else repr(value), _WHOLE


def _member(node: nodes.Node) -> tuple[str, int]:
    """Write members and items from their end on."""
    ends = list[str]()
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        ends.append(f".{node.attr}" if isinstance(node, nodes.Getattr) else _item(node.arg))
        node = node.node
    return _written(node, _WHOLE) + "".join(reversed(ends)), _WHOLE


def _filter(node: nodes.Node) -> tuple[str, int]:
    """Write filters from their end on."""
    ends = list[str]()
    while isinstance(node, nodes.Filter) and node.node is not None:
        given = _arguments(node.args, node.kwargs)
        ends.append(f" | {node.name}({given})" if given else f" | {node.name}")
        node = node.node
    return _written(node, _SIGNED) + "".join(reversed(ends)), _FILTERED


def _item(key: nodes.Node) -> str:
    return f"[{_slice(key) if isinstance(key, nodes.Slice) else written(key)}]"


def _slice(node: nodes.Slice) -> str:
    start, stop = ("" if one is None else written(one) for one in (node.start, node.stop))
    return f"{start}:{stop}" if node.step is None else f"{start}:{stop}:{written(node.step)}"


def _arguments(args: Sequence[nodes.Expr], named: Sequence[nodes.Pair]) -> str:
    more = [f"{one.key}={written(one.value)}" for one in named]
    return ", ".join([*map(written, args), *more])


def _test(node: nodes.Test) -> tuple[str, int]:
    given = _arguments(node.args, ())
    name = f"{node.name}({given})" if given else node.name
    return f"{_written(node.node, _FILTERED)} is {name}", _COMPARED


def _comparison(node: nodes.Compare) -> tuple[str, int]:
    rest = [f" {_COMPARISONS[link.op]} {_written(link.expr, _SUM)}" for link in node.ops]
    return _written(node.expr, _SUM) + "".join(rest), _COMPARED


def _choice(node: nodes.CondExpr) -> tuple[str, int]:
    other = "" if node.expr2 is None else f" else {written(node.expr2)}"
    return f"{_written(node.expr1, _SUM)} if {_written(node.test, _OR)}{other}", _ANY


def _list(node: nodes.List | nodes.Tuple) -> tuple[str, int]:
    return f"[{', '.join(map(written, node.items))}]", _WHOLE


def _object(node: nodes.Dict) -> tuple[str, int]:
    pairs = [f"{written(pair.key)}: {written(pair.value)}" for pair in node.items]
    return f"{{{', '.join(pairs)}}}", _WHOLE


_KINDS: Final[Mapping[type[nodes.Node], Callable[[Any], tuple[str, int]]]] = {
    nodes.Const: _constant,
    nodes.Name: lambda node: (node.name, _WHOLE),
    nodes.Getattr: _member,
    nodes.Getitem: _member,
    nodes.Filter: _filter,
    nodes.Test: _test,
    nodes.Neg: lambda node: (f"-{_written(node.node, _SIGNED)}", _SIGNED),
    nodes.Pos: lambda node: (f"+{_written(node.node, _SIGNED)}", _SIGNED),
    nodes.Concat: lambda node: (
        " ~ ".join(_written(part, _PRODUCT) for part in node.nodes),
        _JOINED,
    ),
    nodes.Compare: _comparison,
    nodes.Not: lambda node: (f"not {_written(node.node, _NOT)}", _NOT),
    nodes.CondExpr: _choice,
    nodes.List: _list,
    nodes.Tuple: _list,
    nodes.Dict: _object,
}
