"""What is declared: and never used, or twice by one name, or without its reason, or said again."""

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from sources import Function, Source, Tree

# Decorators that leave a function to be called by its name; by any other it is handed to somebody.
_PLAIN_MARKS: Final = frozenset(
    {
        "property", "cached_property", "setter", "staticmethod", "classmethod", "cache",
        "contextmanager", "asynccontextmanager", "override", "overload", "wraps",
    }
)  # fmt: skip
_SHORT_DOCSTRING: Final = 40  # characters: "Raise Unavailable." may be said again
_NAMES: Final = re.compile(r"[\w.:]+")  # a text that is a name, or a way to one
_WORD: Final = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Declaration:
    """A name that a source gives to something of its own."""

    source: Source
    name: str
    qualified: str  # with its class: `Store.ping`
    first: int
    last: int

    def __str__(self) -> str:
        """Say what it is, and where."""
        return f"{self.source.at(self.first)}: {self.qualified}"


def dead(declared: Tree, users: list[Tree], exceptions: Mapping[str, str]) -> list[str]:
    """Say which functions, classes, methods, constants and fields nothing uses, by their names.

    A use is the name in an expression, after a dot, before a `=` in a call, or in a text, anywhere
    but in the declaration itself. That a package hands a name on is none; nor is an assignment.

    Args:
        declared: Whose declarations are looked at.
        users: Who may use them, `declared` among them.
        exceptions: By qualified name, what is used by somebody who is not there, and by whom.
    """
    uses: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for sources in users:
        for source in sources:
            for name, line in _uses(source):
                uses[name].append((source.module, line))
    spans: dict[str, list[Declaration]] = defaultdict(list)
    found = [one for source in declared for one in _declarations(source)]
    for one in found:
        spans[one.name].append(one)
    return [
        str(one)
        for one in found
        if one.qualified not in exceptions
        and all(_is_within(use, spans[one.name]) for use in uses[one.name])
    ]


def idle_exceptions(declared: Tree, exceptions: Mapping[str, str]) -> list[str]:
    """Say which exceptions are of what is not there any more."""
    names = {one.qualified for source in declared for one in _declarations(source)}
    return sorted(exceptions.keys() - names)


def _is_within(use: tuple[str, int], declarations: list[Declaration]) -> bool:
    module, line = use
    return any(
        one.source.module == module and one.first <= line <= one.last for one in declarations
    )


def _declarations(source: Source) -> Iterator[Declaration]:
    yield from _of_body(source, source.tree.body, "")
    for node in source.all(ast.ClassDef):
        yield from _of_body(source, node.body, f"{node.name}.")
        yield from _attributes(source, node)


def _of_body(source: Source, body: list[ast.stmt], before: str) -> Iterator[Declaration]:
    for node in body:
        first, last = node.lineno, node.end_lineno or node.lineno
        for name in _names(node):
            if not (name.startswith("__") and name.endswith("__")) and name != "_":
                yield Declaration(source, name, f"{before}{name}", first, last)


def _names(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [] if _is_handed_over(node) else [node.name]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=targets):
            return [one.id for one in targets if isinstance(one, ast.Name)]
        case _:
            return []


def _is_handed_over(node: Function | ast.ClassDef) -> bool:
    for mark in node.decorator_list:
        called = mark.func if isinstance(mark, ast.Call) else mark
        if ast.unparse(called).rpartition(".")[2] not in _PLAIN_MARKS:
            return not isinstance(node, ast.ClassDef)
    return False


def _attributes(source: Source, node: ast.ClassDef) -> Iterator[Declaration]:
    """Give what `__init__` sets on `self`."""
    for maker in node.body:
        if isinstance(maker, Function) and maker.name == "__init__":
            for one in ast.walk(maker):
                if (
                    isinstance(one, ast.Attribute)
                    and isinstance(one.ctx, ast.Store)
                    and ast.unparse(one.value) == "self"
                ):
                    name = f"{node.name}.{one.attr}"
                    yield Declaration(source, one.attr, name, one.lineno, one.lineno)


def _uses(source: Source) -> Iterator[tuple[str, int]]:
    for name in source.all(ast.Name):
        if isinstance(name.ctx, ast.Load):
            yield name.id, name.lineno
    for attribute in source.all(ast.Attribute):
        if isinstance(attribute.ctx, ast.Load):
            yield attribute.attr, attribute.lineno
    for keyword in source.all(ast.keyword):
        if keyword.arg:
            yield keyword.arg, keyword.value.lineno
    for pattern in source.all(ast.MatchClass):
        yield from ((name, pattern.lineno) for name in pattern.kwd_attrs)
    silent = _silent_texts(source)
    for text in source.all(ast.Constant):
        if not isinstance(text.value, str) or id(text) in silent:
            continue
        if _NAMES.fullmatch(text.value):
            yield from ((word, text.lineno) for word in _WORD.findall(text.value))


def _silent_texts(source: Source) -> Set[int]:
    """Give the texts that use nothing: docstrings, and what a package lists as its own."""
    silent = {id(one.value) for one in source.all(ast.Expr)}
    for node in source.tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            silent |= {id(one) for one in ast.walk(node.value)}
    return silent


def repeated_classes(sources: Tree) -> list[str]:
    """Say which class names stand for several things.

    A port and its one adapter are the same; a port stands in `ports`, or beside who needs it.
    """
    by_name: dict[str, list[tuple[Source, ast.ClassDef]]] = defaultdict(list)
    for source in sources:
        for node in source.all(ast.ClassDef):
            by_name[node.name].append((source, node))
    return [
        f"{name}: {', '.join(source.at(node) for source, node in classes)}"
        for name, classes in sorted(by_name.items())
        if len(classes) > 1 and not _is_pair(classes)
    ]


def _is_pair(classes: list[tuple[Source, ast.ClassDef]]) -> bool:
    ports = [
        node for _, node in classes if any("Protocol" in ast.unparse(base) for base in node.bases)
    ]
    return len(classes) == 2 and len(ports) == 1


def repeated_docstrings(sources: Tree) -> list[str]:
    """Say which docstrings are written more than once: the port says it, the others refer to it."""
    places: dict[str, list[str]] = defaultdict(list)
    for source in sources:
        for node in (*source.functions, *source.all(ast.ClassDef)):
            text = inspect.cleandoc(ast.get_docstring(node) or "")
            if len(text) > _SHORT_DOCSTRING and not text.startswith("See `"):
                places[text].append(f"{source.at(node)} {node.name}")
    return [
        f"{text.splitlines()[0]!r}: {', '.join(where)}"
        for text, where in places.items()
        if len(where) > 1
    ]


def unexplained_numbers(sources: Tree, exceptions: Mapping[str, str]) -> list[str]:
    """Say which numeric constants stand without a reason: beside, above or as a text below."""
    return [
        f"{source.at(node)}: {ast.unparse(node)[:80]}"
        for source in sources
        for body in (source.tree.body, *(one.body for one in source.all(ast.ClassDef)))
        for node, below in zip_longest(body, body[1:])
        if (name := _constant_name(node))
        and name not in exceptions
        and not _has_reason(source, node, below)
    ]


def _constant_name(node: ast.stmt) -> str:
    """Give the name of a constant of numbers or spans of time; else nothing."""
    match node:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
            is_final = "Final" in ast.unparse(annotation)
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            is_final = name.isupper()
        case _:
            return ""
    return name if is_final and value is not None and _is_number(value) else ""


def _is_number(value: ast.expr) -> bool:
    match value:
        case ast.Constant(value=bool()):
            return False
        case ast.Constant(value=int() | float()):
            return True
        case ast.UnaryOp(operand=operand):
            return _is_number(operand)
        case ast.BinOp(left=left, right=right):
            return _is_number(left) and _is_number(right)
        case ast.Call(func=ast.Name(id="timedelta"), keywords=keywords):
            return all(_is_number(one.value) for one in keywords)
        case ast.Tuple(elts=some):
            return bool(some) and all(_is_number(one) for one in some)
        case _:
            return False


def _has_reason(source: Source, node: ast.stmt, below: ast.stmt | None) -> bool:
    match below:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    last = node.end_lineno or node.lineno
    beside = source.lines[node.lineno - 1 : last]
    above = source.lines[node.lineno - 2 : node.lineno - 1] if node.lineno > 1 else []
    return any(_is_remark(line.partition("#")[2]) for line in beside) or any(
        _is_remark(line.strip()[1:]) for line in above if line.strip().startswith("#")
    )


def _is_remark(text: str) -> bool:
    """Whether a comment is for readers: not for a tool alone."""
    words = text.rpartition("#")[2].strip()
    return bool(words) and not words.startswith(("noqa", "type:", "fmt:"))


def undefined_invariants(sources: Tree, defined: Set[str]) -> list[str]:
    """Say where an invariant is cited that no page defines."""
    cited = re.compile(r"\bI\d{1,2}\b")
    return [
        f"{source.at(number)}: {name}"
        for source in sources
        for number, line in enumerate(source.lines, 1)
        for name in cited.findall(line)
        if name not in defined
    ]


def invariants_of(page: str) -> Set[str]:
    """Read the table of a page: the names in its first column."""
    return set(re.findall(r"^\|\s*\**(I\d{1,2})\**\s*\|", page, re.MULTILINE))
