"""How files of queries are read, and that each call names what its query declares."""

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
import pytest

from lockstep import store
from lockstep.model.outbox import EventRow
from lockstep.store.doctor import RULES
from lockstep.store.queries import QUERIES, columns, parse, query

FOLDER = Path(inspect.getfile(store)).parent
MODULES = [
    import_module(".".join(("lockstep.store", *path.relative_to(FOLDER).with_suffix("").parts)))
    for path in sorted(FOLDER.rglob("*.py"))
    if path.stem not in {"__init__", "queries"}
]
PYTHON = {
    "uuid": UUID, "text": str, "integer": int, "bigint": int, "boolean": bool, "bytea": bytes,
    "timestamptz": datetime, "float8": float,
}  # fmt: skip
WIDE = 4  # a group with more columns is handed over by name, not as tuples

Call = tuple[ModuleType, ast.Call, list[str]]


def calls() -> Iterator[Call]:
    """Give each call of `query` in the store, with the queries that it may be of."""
    for module in MODULES:
        tree = ast.parse(inspect.getsource(module))
        words = {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "query":
                yield module, node, names(node, words)


def names(call: ast.Call, words: set[str]) -> list[str]:
    """Give the queries that a call may be of; `words` are the texts of its module."""
    match call.args[0]:
        case ast.Constant(value=str(name)):
            return [name]
        case ast.JoinedStr(values=parts):
            pattern = "".join(
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z]+"
                for part in parts
            )
            return [name for name in QUERIES if re.fullmatch(pattern, name)]
        case _:
            return [name for name in QUERIES if name in words and fits(call, name)]


def fits(call: ast.Call, name: str) -> bool:
    """Say whether a call names the parameters of a query; those in `**some` are not seen."""
    seen = {keyword.arg for keyword in call.keywords}
    declared = QUERIES[name].parameters.keys()
    return seen - {None} <= declared if None in seen else seen == declared


CALLS = list(calls())


def test_a_call_names_the_parameters_of_its_query() -> None:
    for module, call, of in CALLS:
        place = f"{module.__name__}:{call.lineno}"
        assert of, f"{place}: {ast.unparse(call)}: there is no such query"
        for name in of:
            assert fits(call, name), f"{place}: {name} takes {', '.join(QUERIES[name].parameters)}"


def test_the_columns_of_a_group_are_attributes_of_its_rows() -> None:
    for module, call, of in CALLS:
        for keyword in call.keywords:
            wanted = QUERIES[of[0]].parameters.get(keyword.arg or "")
            if isinstance(wanted, Mapping):
                check(module, value_of(keyword.value, module), wanted)


def value_of(node: ast.expr, module: ModuleType) -> ast.expr:
    """Give what a name stands for, if it is assigned the columns of a group."""
    if isinstance(node, ast.Name):
        for other in ast.walk(ast.parse(inspect.getsource(module))):
            match other:
                case ast.Assign(targets=[ast.Name(id=node.id)], value=ast.Call() as made):
                    return made
    return node


def check(module: ModuleType, value: ast.expr, wanted: Mapping[str, str]) -> None:
    """Compare what a group is given with its columns."""
    if isinstance(value, ast.Dict):
        assert [ast.literal_eval(key) for key in value.keys if key] == list(wanted)
    elif isinstance(value, ast.Call) and ast.unparse(value.func) == "columns":
        row = getattr(module, ast.unparse(value.args[0]))
        handed = {keyword.arg for keyword in value.keywords}
        hints = get_type_hints(row)
        assert handed <= wanted.keys()
        assert wanted.keys() - handed <= hints.keys()
        types = {name: members(hints[name]) for name in wanted.keys() - handed}
        assert types == {name: {PYTHON[wanted[name]]} for name in types}
    else:
        assert len(wanted) <= WIDE


def members(hint: Any) -> set[type]:
    """Give the types of an annotation, but for None."""
    if get_origin(hint) in {Union, UnionType}:
        return set().union(*(members(one) for one in get_args(hint))) - {type(None)}
    return {type(one) for one in get_args(hint)} if get_origin(hint) is Literal else {hint}


def test_each_query_is_used() -> None:
    assert not QUERIES.keys() - {name for _, _, of in CALLS for name in of}


def test_the_rules_of_the_doctor_are_given_what_they_declare() -> None:
    assert {tuple(QUERIES[rule.query].parameters) for rule in RULES} == {("seconds", "limit")}


def test_a_query_says_what_it_is_for_and_what_it_locks() -> None:
    for name, one in QUERIES.items():
        assert re.match(r"-- [^:]", one.text), name
        locks = re.search(r"for (no key )?update|for (key )?share|advisory_xact_lock", one.text)
        assert not locks or "-- Locks: " in one.text, name


AT = datetime(2026, 1, 1, tzinfo=UTC)
SAMPLE = """\
-- Sample.
-- :now timestamptz, :steps (run_id uuid,
--     seq integer): those that have ended
-- :ids uuid[]
select *, 'a:b', 'x'::text
  from unnest(:steps) with ordinality
  join unnest(:ids) as i (id) on i.id = steps.run_id
 where :now > now() and seq < all (select seq from unnest(:steps)); -- as: it is
"""


def test_groups_and_parameters_become_placeholders() -> None:
    assert parse("a/sample", SAMPLE).text.partition("select")[2] == (
        " *, 'a:b', 'x'::text\n"
        "  from unnest($2::uuid[], $3::integer[]) with ordinality as steps (run_id, seq, place)\n"
        "  join unnest($4::uuid[]) as i (id) on i.id = steps.run_id\n"
        " where $1::timestamptz > now() and seq < all (select seq from "
        "unnest($2::uuid[], $3::integer[]) as steps (run_id, seq)); -- as: it is\n"
    )


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("-- A.\n-- :id uuid\nselect 1\n where :ib = 1", "4: `:ib` is not declared; declare it"),
        ("-- A.\n-- :id uuid\n-- :no text\nselect :id", "3: `:no` is declared but not used"),
        ("-- A.\n-- :id uuid, :id text\nselect :id", "2: `:id` is declared twice"),
        ("-- A.\n-- :rows (id)\nselect", "2: `:rows (id)` cannot be read; write `-- :name type`"),
        ("-- A.\n-- :rows (id uuid\nselect", "2: `:rows` cannot be read"),
        ("-- A.\n-- :rows (id uuid)\nselect\n :rows", "4: `:rows` is a group; write `unnest(:row"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line_and_what_to_do(
    source: str, says: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"sql/a/b.sql:{says}")):
        parse("a/b", source)


def test_a_group_is_rows_by_attribute_with_what_is_handed_or_tuples_or_nothing() -> None:
    sample = parse("a/sample", SAMPLE)
    rows = [EventRow("t", number, "s", "m", b"", AT) for number in (1, 2)]
    ids, now = [UUID(int=1), UUID(int=2)], AT
    given = {"ids": ids, "now": now}
    by_name = columns(EventRow, rows, run_id=ids)
    assert sample.bind({**given, "steps": by_name}) == [now, ids, (1, 2), ids]
    assert sample.bind({**given, "steps": [(ids[0], 1)]}) == [now, (ids[0],), (1,), ids]
    nothing = columns(EventRow, [], run_id=[])
    assert [list(one) for one in sample.bind({**given, "steps": nothing})[1:3]] == [[], []]
    assert sample.bind({**given, "steps": []}) == [now, (), (), ids]


@pytest.mark.parametrize(
    "steps", [[(UUID(int=1),)], {"run_id": [UUID(int=1)], "seq": []}], ids=["width", "length"]
)
def test_a_group_of_another_width_or_length_is_refused(steps: object) -> None:
    with pytest.raises(TypeError, match="a/sample: the columns of steps are not run_id, seq"):
        parse("a/sample", SAMPLE).bind({"now": None, "ids": [], "steps": steps})


def test_a_value_that_lacks_or_that_is_too_much_is_refused() -> None:
    with pytest.raises(TypeError, match=r"runs/get takes id: not \['ib'\]"):
        query("runs/get", ib=1)


def test_rows_of_all_structs_can_be_taken_apart() -> None:
    """`columns` relies on it: the values of a struct come in the order of its fields."""
    row = EventRow("t", 1, "s", "m", b"", AT)
    assert msgspec.structs.astuple(row)[:2] == ("t", 1)
    assert EventRow.__struct_fields__[:2] == ("topic", "seq")
