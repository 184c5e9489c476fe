"""Every name of the language stands in its reference, and nothing that it does not have."""

import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
from msgspec import NODEFAULT, UNSET

from lockstep.catalog import build_catalog
from lockstep.definition import names, shape, source
from lockstep.model.program import FILTER_SECONDS
from lockstep.render import BUILT_IN, filters_list, limits, patterns
from lockstep.render.predicates import PREDICATES
from lockstep.walk import bounds, scope
from lockstep_schemas import actions, conditions, definition, depth, durations
from lockstep_schemas.run_events import RunStatus
from pages import ROOT, headings, inline, tables

PAGE = ROOT / "docs/LANGUAGE.md"
TABLES = tables(PAGE)
STRUCTS: dict[str, Any] = {
    one.__name__: one
    for one in (
        definition.AutomationDocument, definition.Definition, definition.Trigger,
        definition.Window, definition.Hold, durations.MaxAge, durations.LookBack,
        conditions.NumericBounds, conditions.TimeWindow, actions.ActionBase,
        actions.ProviderAction, actions.Retry, actions.Choose, actions.Branch, actions.Parallel,
        actions.Sequence, actions.DelayFor, actions.Loop, actions.Variables, actions.Guard,
        actions.StopWith, actions.WaitFor,
    )
}  # fmt: skip
# Objects whose one field is all that there is to say of them.
WITHOUT_A_TABLE = {"Delay", "Repeat", "Stop", "Wait", "And", "Or", "Not", "NumericState", "Time"}
COMMON = {field.encode_name for field in msgspec.structs.fields(actions.ActionBase)}


def fields(kind: Any) -> list[Any]:
    mine = msgspec.structs.fields(kind)
    is_action = kind is not actions.ActionBase and issubclass(kind, actions.ActionBase)
    return [one for one in mine if not (is_action and one.encode_name in COMMON)]


def first(table: str) -> list[str]:
    return [row[0].strip("`") for row in TABLES[table]]


def within(kind: Any) -> Iterator[Any]:
    """Give what an annotation is made of: bounds, words, types; objects are left closed."""
    yield kind
    for inner in get_args(kind):
        yield from within(inner)


def numbers(kind: Any) -> set[int]:
    """Give the bounds that a field has."""
    metas = [one for one in within(kind) if isinstance(one, msgspec.Meta)]
    found = [getattr(meta, name) for meta in metas for name in ("ge", "le", "max_length")]
    return {int(one) for one in found if one is not None}


def words(kind: Any) -> set[str]:
    """Give the words that a field may have."""
    literals = [one for one in within(kind) if get_origin(one) is Literal]
    return {str(word) for one in literals for word in get_args(one)}


def test_every_object_of_the_language_has_its_table() -> None:
    found = set(STRUCTS)
    modules = (actions, conditions, definition, durations)
    all_of_them = {
        value.__name__
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value.__module__ == module.__name__
    }
    assert all_of_them - found == WITHOUT_A_TABLE
    assert found <= set(TABLES)


@pytest.mark.parametrize("name", STRUCTS)
def test_a_table_has_the_fields_that_there_are_with_defaults_bounds_and_words(name: str) -> None:
    kind = STRUCTS[name]
    assert sorted(first(name)) == sorted(field.encode_name for field in fields(kind))
    rows = {row[0].strip("`"): row for row in TABLES[name]}
    for field in fields(kind):
        _, default, text = rows[field.encode_name]
        assert default == _default(field), f"{name}.{field.encode_name}"
        told = {int(number) for number in re.findall(r"\d+", text)}
        assert numbers(field.type) <= told | {0}, f"{name}.{field.encode_name}"
        assert words(field.type) <= set(re.findall(r"`(\w+)`", text)), field.encode_name


def _default(field: Any) -> str:
    if field.default_factory is not NODEFAULT:
        made = field.default_factory()
        return f"`{msgspec.json.encode(made).decode()}`"
    if field.default is NODEFAULT:
        return "required"
    if field.default is None or field.default is UNSET:
        return "none"
    shown = field.default if isinstance(field.default, str) else None
    return f"`{shown or msgspec.json.encode(field.default).decode()}`"


def test_each_kind_of_action_and_of_condition_has_its_section() -> None:
    found = [re.sub("`", "", heading) for heading in headings(PAGE)]
    assert set(actions.KINDS) - {"action"} <= set(found)
    assert "action" in found
    for kind in conditions.CONDITIONS:
        assert any(kind in heading.replace(",", "").split() for heading in found), kind


def test_the_modes_the_statuses_and_the_roots_are_those_that_there_are() -> None:
    assert sorted(first("modes")) == sorted(get_args(definition.Mode))
    assert sorted(first("statuses")) == sorted(get_args(RunStatus))
    assert sorted(first("roots")) == sorted(names._ROOTS)


def test_the_members_of_each_root_are_those_that_there_are() -> None:
    text = PAGE.read_text()
    for path, members in names._MEMBERS.items():
        for member in members:
            assert f"`{'.'.join([*map(str, path), member])}`" in text
    trigger = names._MEMBERS[("trigger",)]
    assert sorted(first("trigger")) == sorted(f"trigger.{member}" for member in trigger)


def test_a_member_that_the_page_names_is_there() -> None:
    catalog = build_catalog(open=True)
    known = {one.qualified_id for one in (*catalog.triggers(), *catalog.actions())}
    members = {str(path[0]): found for path, found in names._MEMBERS.items() if len(path) == 1}
    wrong = []
    for code in inline(PAGE):
        for root, member in re.findall(r"(?<![.\w])(\w+)\.(\w+)", code):
            if root in members and f"{root}.{member}" not in known:
                wrong += [code] if member not in members[root] else []
    assert wrong == []


def test_a_filter_or_a_test_that_the_page_names_is_there() -> None:
    text = PAGE.read_text()
    for name in re.findall(r"(?<=[\w)'\]]) \| ([a-z]\w*)", "\n".join(inline(PAGE))):
        assert name in BUILT_IN
    for code in inline(PAGE):
        found = re.fullmatch(r"[\w.]+ is (?:not )?(\w+)", code)
        assert found is None or found[1] in PREDICATES
    assert "FILTERS.md" in text


def test_a_key_that_the_page_names_is_one_of_the_language() -> None:
    known = {field.encode_name for kind in STRUCTS.values() for field in fields(kind)} | {
        key for kind in (*actions.KINDS.values(), *conditions.CONDITIONS.values())
        for key in (field.encode_name for field in msgspec.structs.fields(kind))
    }  # fmt: skip
    named = {key for code in inline(PAGE) for key in re.findall(r"(?:^|[{,] ?)([a-z_]+): ", code)}
    assert named - known == {"success"}, "what an action answers"


def test_the_limits_are_those_that_hold() -> None:
    kib, mib = 1024, 1024 * 1024
    default = limits.DEFAULT
    holds = [
        ("text of a template", f"{default.text_bytes // kib} KiB"),
        ("value that an expression makes", f"{default.value_bytes // mib} MiB"),
        ("processor time of what is evaluated", f"{default.processor_seconds * 1000:g} ms"),
        ("processor time of what a trigger or a wait", f"{FILTER_SECONDS * 1000:g} ms"),
        ("nesting of an expression", str(default.nesting)),
        ("digits of a whole number", str(limits.INTEGER_BITS)),
        ("regular expression", str(patterns.MOST_CHARACTERS)),
        ("list that is sorted", str(filters_list.MOST_SORTED)),
        ("nesting of conditions", str(shape.MAX_CONDITION_DEPTH)),
        ("nesting of actions", str(shape.MAX_ACTION_DEPTH)),
        ("nesting of a payload", str(depth.MAX_DEPTH)),
        ("text of an automation", f"{source.MAX_BYTES // mib} MiB"),
        ("faults that are told", str(shape.MAX_FAULTS)),
        ("variables and artifacts of a run", f"{scope.SCOPE_BYTES // mib} MiB"),
        ("what a run keeps to go on with", f"{bounds.STATE_BYTES // mib} MiB"),
        ("context key of a wait", f"{bounds.KEY_BYTES} bytes"),
    ]
    told = [(what, most) for what, most in TABLES["limits"]]
    assert [most for _, most in told] == [most for _, most in holds]
    assert [
        what for (words, _), (what, _) in zip(holds, told, strict=True) if words not in what
    ] == []
