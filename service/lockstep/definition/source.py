"""YAML or JSON text to a value of JSON, with the place of everything in it.

The scalars are those of the core schema of YAML 1.2: `yes`, `on` and `12:30` are texts. JSON is
read as the YAML that it is.
"""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Final

import msgspec
import yaml

from lockstep.definition import foreign
from lockstep.model.errors import EngineError
from lockstep_schemas.api import Issue
from lockstep_schemas.base import Json

MAX_BYTES: Final = 1024 * 1024  # what NATS takes in one message unless told otherwise
MAX_DEPTH: Final = 200  # as `shape.MAX_DEPTH`
MAX_NODES: Final = 100_000  # aliases repeat values: a short text could be made of millions

Path = tuple[str | int, ...]
Place = tuple[int, int]

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,400}\Z|0o[0-7]{1,400}\Z|0x[0-9a-fA-F]{1,400}\Z")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SPECIAL: Final = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")

_UNKNOWN_KEY: Final = re.compile(r"unknown key `(.*)`")

_PLAIN: Final = "?"
_PAIR: Final = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc] # a class of the C library, where there is one
    """Composes nodes without guessing: what a plain scalar is, is told by `_core`."""

    yaml_implicit_resolvers: ClassVar[dict[str, object]] = {}

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def descend_resolver(self, parent: yaml.Node | None, _: object) -> None:
        """Go into a node. The composer recurses, the C one without end: the process would die."""
        self._depth += 1
        if parent is not None and self._depth > MAX_DEPTH + 1:
            raise _error(parent, f"nested deeper than {MAX_DEPTH}")

    def ascend_resolver(self) -> None:
        """Come out of a node."""
        self._depth -= 1

    def resolve(self, kind: type[yaml.Node], value: object, implicit: object) -> str:
        """Give the tag of a node that has none: `_PLAIN` for a scalar without quotes."""
        if kind is yaml.ScalarNode and isinstance(implicit, tuple) and implicit[0]:
            return _PLAIN
        return str(super().resolve(kind, value, implicit))


class SourceError(EngineError):
    """A text is no YAML that the language takes; `issue` says where and why."""

    code = "definition.source"
    category = "bad_request"
    advice = "Correct the text at the line and column that are named."

    def __init__(
        self,
        message: str,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.issue = Issue(path=[], message=message, hint=hint, line=line, column=column)
        self.issues = [self.issue]


class Source(msgspec.Struct, frozen=True):
    """A document: its value, and the line and column (from 1) of each path in it."""

    value: Json
    places: dict[Path, Place]

    def place(self, path: Sequence[str | int]) -> Place:
        """Give the place of a path, or of the nearest that is there above it."""
        wanted = tuple(path)
        while wanted and wanted not in self.places:
            wanted = wanted[:-1]
        return self.places.get(wanted, (1, 1))

    def locate(self, issue: Issue, under: Path = ()) -> Issue:
        """Add line and column to an issue of what stands `under` a path."""
        path = (*under, *issue.path)
        unknown = _UNKNOWN_KEY.fullmatch(issue.message)
        line, column = self.place((*path, unknown[1]) if unknown else path)
        return msgspec.structs.replace(issue, line=line, column=column)


def read(text: str) -> Source:
    """Read a text of one document.

    Raises:
        SourceError: It cannot be read, or holds none or several documents.
    """
    sources = read_all(text)
    if len(sources) != 1:
        raise SourceError(f"one document is expected, {len(sources)} are there", 1, 1)
    return sources[0]


def read_all(text: str) -> list[Source]:
    """Read all documents of a text, in order; empty ones are left out.

    Raises:
        SourceError: It cannot be read; the issue in it has line and column.
    """
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise SourceError(f"the text is larger than {MAX_BYTES} bytes", 1, 1)
    try:
        return [_source(node) for node in _composed(text) if not _is_empty(node)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        line, column = _marked(text, mark)
        hint = foreign.unquoted(text.split("\n")[line - 1])
        raise SourceError(f"no YAML: {what}", line, column, hint) from None
    except yaml.reader.ReaderError as error:
        raise SourceError(f"no YAML: {error.reason}", *_at(text, error.position)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise SourceError(f"no YAML: {error}", 1, 1) from None
    except RecursionError:
        raise SourceError("the text is nested too deep", 1, 1) from None


def _marked(text: str, mark: yaml.Mark | None) -> Place:
    """Give the place of a mark; the parser puts the end of the text on a line of its own."""
    lines = text.split("\n")
    if mark is None:
        return 1, 1
    if mark.line < len(lines):
        return mark.line + 1, mark.column + 1
    return len(lines), len(lines[-1]) + 1


def _at(text: str, position: int) -> Place:
    """Give the place of a byte; the reader counts bytes, not characters."""
    before = text.encode()[:position].decode(errors="ignore")
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _composed(text: str) -> Iterator[yaml.Node]:
    if text.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}:
        text = _PAIR.sub(_joined, text)
    loader = _Loader(text)
    try:
        while loader.check_node():
            yield loader.get_node()
    except yaml.MarkedYAMLError as error:
        if mark := error.problem_mark or error.context_mark:
            _check_depth(text[: mark.index])
        raise
    finally:
        loader.dispose()


def _check_depth(before: str) -> None:
    """Raise our own error if what stands before the place of the parser's is nested too deep.

    The parser reads up to 1024 characters ahead of what is composed. Newer ones meet a limit of
    their own there, with words of their own, before `_Loader` can tell of ours.
    """
    loader = _Loader(before)
    try:
        with suppress(yaml.YAMLError):  # it ends in the middle
            while loader.check_node():
                loader.get_node()
    finally:
        loader.dispose()


def _joined(pair: re.Match[str]) -> str:
    """Write as one escape what JSON writes as two: YAML has no surrogates."""
    high, low = (int(half, 16) for half in pair.groups())
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


def _is_empty(node: yaml.Node) -> bool:
    return node.tag == _PLAIN and node.value == ""


def _source(node: yaml.Node) -> Source:
    builder = _Builder()
    value = builder.value(node, ())
    return Source(value, builder.places)


class _Builder:
    """Builds the value of a document; bounded, whatever its aliases say."""

    def __init__(self) -> None:
        self.places: dict[Path, Place] = {}
        self._nodes = 0
        self._characters = 0

    def value(self, node: yaml.Node, path: Path) -> Json:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _error(node, f"more than {MAX_NODES} values, with those that aliases repeat")
        if len(path) > MAX_DEPTH:
            raise _error(node, f"nested deeper than {MAX_DEPTH}")
        self.places.setdefault(path, _place(node))
        if isinstance(node, yaml.MappingNode):
            _check_tag(node, "map")
            return self._object(node, path)
        if isinstance(node, yaml.SequenceNode):
            _check_tag(node, "seq")
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        self._characters += len(node.value)
        if self._characters > MAX_BYTES:
            raise _error(node, f"more than {MAX_BYTES} characters, with those that aliases repeat")
        return _scalar(node)

    def _object(self, node: yaml.MappingNode, path: Path) -> Json:
        made: dict[str, Json] = {}
        for key_node, value_node in node.value:
            key = _key(key_node)
            if key in made:
                raise _error(key_node, f"the key '{key}' stands here twice")
            self.places[*path, key] = _place(key_node)
            made[key] = self.value(value_node, (*path, key))
        return made


def _key(node: yaml.Node) -> str:
    """Give a key. A plain word is a text here, whatever it would be as a value."""
    if not isinstance(node, yaml.ScalarNode):
        braced = isinstance(node, yaml.MappingNode) and node.flow_style
        hint = "a text that begins with `{{` needs quotes around it" if braced else None
        raise _error(node, "a key must be a text", hint)
    return str(node.value)


def _scalar(node: yaml.Node) -> Json:
    text = str(node.value)
    if node.tag == _PLAIN:
        return _core(node, text)
    _check_tag(node, "str")
    return text


def _core(node: yaml.Node, text: str) -> Json:
    """Resolve a plain scalar by the core schema. Source: YAML 1.2.2, section 10.3.2."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.match(text):
        base = 8 if text.startswith("0o") else 16 if text.startswith("0x") else 10
        return int(text[2:] if base != 10 else text, base)
    if _FLOAT.match(text):
        number = float(text)
        if math.isfinite(number):
            return number
        raise _error(node, f"the number {text} is too large")
    if _SPECIAL.match(text):
        raise _error(node, f"JSON has no number {text}")
    return text


def _check_tag(node: yaml.Node, kind: str) -> None:
    if node.tag not in {f"tag:yaml.org,2002:{kind}", "!"}:
        raise _error(node, f"the tag {node.tag} is not allowed", foreign.tag(str(node.tag)))


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _error(node: yaml.Node, message: str, hint: str | None = None) -> SourceError:
    return SourceError(message, *_place(node), hint)
