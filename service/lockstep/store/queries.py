"""The named queries: `query("waits/fire", ...)` is `sql/waits/fire.sql` with its values.

The comment that a file begins with says what the query does, and declares its parameters in lines
that begin with `-- :`; what is not of this form in them is for readers:

    -- :cause text, :now timestamptz
    -- :steps (run_id uuid, seq integer,
    --     path text): those that have ended

`steps` is a group: rows, handed over as one array for each column. In the statement

    :now                              is  $2::timestamptz
    unnest(:steps)                    is  unnest($3::uuid[], ...) as steps (run_id, seq, path)
    unnest(:steps) with ordinality    has their `place` too, from 1
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from itertools import count, takewhile
from typing import Final, TypeAlias, cast

import msgspec

Columns: TypeAlias = dict[str, Sequence[object]]
"""The values of a group by column, all of one length; nothing where there are no rows."""
Group: TypeAlias = Columns | Sequence[tuple[object, ...]]
"""Columns, or rows with the columns in their order."""

# A line that begins with `-- :`; where a parenthesis is open, the lines up to its end.
_DECLARATION: Final = re.compile(r"^-- :(?:[^()\n]|\([^()]*\))*", re.MULTILINE)
_PARAMETER: Final = re.compile(r":(\w+) (?:\((\s*\w+ \w+(?:,\s*\w+ \w+)*)\)|(\w+(?:\[\])?))")
_USE: Final = re.compile(r"unnest\(:(\w+)\)( with ordinality)?|(?<![:\w]):([a-z]\w*)")

# In a pattern of `like`, and what it is written as.
_SPECIAL: Final = re.compile(r"[\\%_]")
_ESCAPED: Final = r"\\\g<0>"


class Query(msgspec.Struct, frozen=True):
    """A statement as the driver takes it, and its parameters in the order of their placeholders.

    A parameter has a type of PostgreSQL; a group has one for each of its columns.
    """

    name: str
    text: str
    parameters: Mapping[str, str | Mapping[str, str]]

    def bind(self, values: Mapping[str, object]) -> list[object]:
        """Give the arguments of the driver; see `Group` for what a group is.

        Raises:
            TypeError: These are not the parameters, or not the columns, of the query.
        """
        if values.keys() != self.parameters.keys():
            raise TypeError(f"{self.name} takes {', '.join(self.parameters)}: not {sorted(values)}")
        bound: list[object] = []
        for name, type_ in self.parameters.items():
            if isinstance(type_, str):
                bound.append(values[name])
            elif not values[name]:
                bound += [()] * len(type_)
            else:
                bound += self._arrays(name, type_, cast("Group", values[name]))
        return bound

    def _arrays(self, name: str, wanted: Mapping[str, str], rows: Group) -> list[Sequence[object]]:
        if isinstance(rows, dict):
            arrays = [rows[column] for column in wanted]
        else:
            arrays = list(zip(*rows, strict=True))
        if len(arrays) != len(wanted) or len(set(map(len, arrays))) != 1:
            # PostgreSQL would fill up with nulls.
            raise TypeError(f"{self.name}: the columns of {name} are not {', '.join(wanted)}")
        return arrays


def query(name: str, /, **values: object) -> tuple[str, *tuple[object, ...]]:
    """Give a query with its values, as the methods of a connection take them.

    Raises:
        KeyError: There is no such query.
        TypeError: See `Query.bind`.
    """
    named = QUERIES[name]
    return (named.text, *named.bind(values))


def like(part: str | None) -> str | None:
    """Make a pattern for `ilike` of a text that is looked for; None looks for nothing."""
    return None if part is None else f"%{_SPECIAL.sub(_ESCAPED, part)}%"


def columns(
    of: type[msgspec.Struct], rows: Sequence[msgspec.Struct], **handed: Sequence[object]
) -> Columns:
    """Give the columns of a group from the attributes of `rows`, which are all of one type.

    `handed` are those that are no attribute, or that are stored in another form.
    """
    if not rows:
        return {}
    taken = zip(*map(msgspec.structs.astuple, rows), strict=True)
    return dict(zip(of.__struct_fields__, taken, strict=True), **handed)


def parse(name: str, source: str) -> Query:
    """Read the file of a query.

    Raises:
        ValueError: It declares what it does not use, or the other way round; with the line.
    """
    header = "".join(takewhile(lambda line: line.startswith("--"), source.splitlines(True)))
    declared = _declared(name, header)
    parameters = {parameter: type_ for parameter, (type_, _) in declared.items()}
    placeholders = _placeholders(parameters)
    used = set()

    def expand(use: re.Match[str]) -> str:
        parameter, line = use[1] or use[3], 1 + source.count("\n", 0, len(header) + use.start())
        if parameter not in parameters:
            what = f"declare it in the header, `-- :{parameter} type`, or mend the name"
            raise _fault(name, line, parameter, "is not declared", what)
        used.add(parameter)
        type_, text = parameters[parameter], placeholders[parameter]
        if isinstance(type_, str):
            return use[0].replace(f":{parameter}", text)
        if use[3]:
            raise _fault(name, line, parameter, "is a group", f"write `unnest(:{parameter})`")
        ordinality = use[2] or ""
        names = ", ".join([*type_, "place"] if ordinality else type_)
        return f"unnest({text}){ordinality} as {parameter} ({names})"

    text = header + _USE.sub(expand, source[len(header) :])
    for parameter, (_, line) in declared.items():
        if parameter not in used:
            raise _fault(name, line, parameter, "is declared but not used", "use it or drop it")
    return Query(name, text, parameters)


def _declared(name: str, header: str) -> dict[str, tuple[str | dict[str, str], int]]:
    """Give the parameters in their order, each with its type, or columns, and its line."""
    found: dict[str, tuple[str | dict[str, str], int]] = {}
    for declaration in _DECLARATION.finditer(header):
        line = 1 + header.count("\n", 0, declaration.start())
        text = declaration[0].replace("\n--", " ").removeprefix("--")
        parameters = list(_PARAMETER.finditer(text))
        if len(parameters) != len(re.findall(r":\w", text)):
            what = "write `-- :name type` or `-- :group (name type, name type)`"
            raise _fault(name, line, text.strip(), "cannot be read", what)
        for parameter in parameters:
            if parameter[1] in found:
                raise _fault(name, line, parameter[1], "is declared twice", "drop one of the two")
            group = dict(column.split() for column in (parameter[2] or "").split(",") if column)
            found[parameter[1]] = (group or parameter[3], line)
    return found


def _placeholders(parameters: Mapping[str, str | Mapping[str, str]]) -> dict[str, str]:
    """Number what the driver is given, with the types: `$1::text`, or one array for a column."""
    numbers = count(1)
    return {
        parameter: f"${next(numbers)}::{type_}"
        if isinstance(type_, str)
        else ", ".join(f"${next(numbers)}::{column}[]" for column in type_.values())
        for parameter, type_ in parameters.items()
    }


def _fault(name: str, line: int, what: str, wrong: str, mend: str) -> ValueError:
    return ValueError(f"sql/{name}.sql:{line}: `:{what.removeprefix(':')}` {wrong}; {mend}")


def _read() -> Iterator[Query]:
    for folder in (resources.files(__package__) / "sql").iterdir():
        for file in folder.iterdir():
            yield parse(f"{folder.name}/{file.name.removesuffix('.sql')}", file.read_text())


QUERIES: Final[Mapping[str, Query]] = {one.name: one for one in _read()}
