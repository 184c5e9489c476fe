"""The sources: each is read and parsed once, and says what it is called and what it imports."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final, TypeVar

ROOT: Final = Path(__file__).parents[2]
SERVICE: Final = ROOT / "service" / "lockstep"
SCHEMAS: Final = ROOT / "schemas" / "lockstep_schemas"

Node = TypeVar("Node", bound=ast.AST)
Function = ast.FunctionDef | ast.AsyncFunctionDef
_DOTTED = re.compile(r"([A-Za-z_]\w*(?:\.\w+)+)(?::\w+)?")


@dataclass(frozen=True, eq=False)
class Source:
    """One Python file."""

    path: Path
    module: str  # as it is imported: `lockstep.walk` for `walk/__init__.py`
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The whole of it, parsed."""
        return ast.parse(self.text)

    @cached_property
    def lines(self) -> Sequence[str]:
        """Its lines; the first has index 0."""
        return self.text.splitlines()

    @cached_property
    def _nodes(self) -> Mapping[type[ast.AST], list[ast.AST]]:
        by_type: dict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        for node in ast.walk(self.tree):
            by_type[type(node)].append(node)
        return by_type

    def all(self, *types: type[Node]) -> Iterator[Node]:
        """Give its nodes of these very types, wherever they stand."""
        for each in types:
            yield from self._nodes.get(each, ())  # type: ignore[misc]  # keyed by their type

    @property
    def functions(self) -> Iterator[Function]:
        """Its functions and methods, nested ones too."""
        return self.all(ast.FunctionDef, ast.AsyncFunctionDef)

    @property
    def is_package(self) -> bool:
        """Whether it stands for its folder."""
        return self.path.name == "__init__.py"

    def at(self, node: ast.AST | int) -> str:
        """Say where something stands, as editors read it."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        path = self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path
        return f"{path}:{line}"


@dataclass(frozen=True)
class Import:
    """That one module asks for another, at whatever place: under `TYPE_CHECKING`, in a function."""

    importer: Source
    line: int
    target: str  # the module, where it is ours; else what is written there
    is_ours: bool

    def __str__(self) -> str:
        """Say it, and where."""
        return f"{self.importer.at(self.line)}: {self.importer.module} imports {self.target}"


class Tree:
    """Some sources that belong together, by the names of their modules."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.by_module: Final = {source.module: source for source in sources}

    def __iter__(self) -> Iterator[Source]:
        """Give all of them, in the order of their paths."""
        return iter(self.by_module.values())

    @cached_property
    def imports(self) -> Sequence[Import]:
        """All imports of all of them."""
        return [found for source in self for found in self._imports_of(source)]

    def _imports_of(self, source: Source) -> Iterator[Import]:
        seen = set()
        for line, target in self._targets(source):
            if (line, target) not in seen:
                seen.add((line, target))
                yield Import(source, line, target, target in self.by_module)

    def _targets(self, source: Source) -> Iterator[tuple[int, str]]:
        for node in source.all(ast.Import):
            yield from ((node.lineno, self._known(alias.name)) for alias in node.names)
        for from_node in source.all(ast.ImportFrom):
            base = _base(source, from_node)
            for alias in from_node.names:
                yield from ((from_node.lineno, one) for one in self._named(base, alias.name))
        # A module that is imported by its name, as commands are, when it is needed.
        for text in source.all(ast.Constant):
            match = _DOTTED.fullmatch(text.value) if isinstance(text.value, str) else None
            if match and match[1] in self.by_module:
                yield text.lineno, match[1]

    def _known(self, name: str) -> str:
        """Shorten what is written to the module of ours that it begins with, if there is one."""
        words = name.split(".")
        for count in range(len(words), 0, -1):
            if (shorter := ".".join(words[:count])) in self.by_module:
                return shorter
        return name

    def _named(self, base: str, name: str) -> list[str]:
        """Say which modules `from base import name` asks for: that, or a package and its module."""
        if f"{base}.{name}" in self.by_module:
            return [f"{base}.{name}"]
        found = [base]
        while (home := self._home(found[-1], name)) and home not in found:
            found.append(home)
        return found

    def _home(self, module: str, name: str) -> str | None:
        """Say from which module of ours a package has a name that it hands on."""
        source = self.by_module.get(module)
        if source is None or not source.is_package:
            return None
        for node in source.tree.body:
            if isinstance(node, ast.ImportFrom):
                base = _base(source, node)
                if base in self.by_module and name in {
                    one.asname or one.name for one in node.names
                }:
                    return base
        return None


def read(*folders: Path) -> Tree:
    """Read all Python files of packages; each package is called as its folder."""
    return Tree(
        [
            Source(path, _module(path.relative_to(folder.parent)), path.read_text())
            for folder in folders
            for path in sorted(folder.rglob("*.py"))
        ]
    )


@cache
def product() -> Tree:
    """What is installed: the service and its schemas."""
    return read(SERVICE, SCHEMAS)


@cache
def suite() -> Tree:
    """The tests, and what they are made of."""
    return read(ROOT / "tests")


@cache
def samples() -> Tree:
    """Python that we hand to others: plug-ins and providers."""
    return read(ROOT / "deploy")


def _module(path: Path) -> str:
    words = path.with_suffix("").parts
    return ".".join(words[:-1] if words[-1] == "__init__" else words)


def _base(source: Source, node: ast.ImportFrom) -> str:
    """Say from what is imported, with leading dots resolved."""
    if not node.level:
        return node.module or ""
    words = source.module.split(".")
    kept = len(words) - node.level + source.is_package
    return ".".join([*words[:kept], *([node.module] if node.module else [])])
