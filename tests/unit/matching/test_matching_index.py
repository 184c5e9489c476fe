"""The index: enabled automations by their events, at a revision, read as little as can be."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from lockstep.matching import Index
from lockstep.matching.index import OLD_PROGRAMS
from lockstep.model.automations import (
    DefinitionLost,
    DefinitionUnreadable,
    Head,
    StoredDefinition,
)
from lockstep.model.errors import EngineError, Unavailable
from lockstep.model.program import Program
from unit.fakes import Definitions
from unit.moved import moved
from unit.values import program


def head(automation_id: str, version: int = 1, position: int = 1, **fields: Any) -> Head:
    """An automation as the list of all has it."""
    given: dict[str, Any] = {"id": automation_id, "name": automation_id, "enabled": True}
    return Head(version=version, position=position, **{**given, **fields})


class Compiler:
    """Compiles a definition, which is the event that it asks for; notes which."""

    def __init__(self) -> None:
        self.compiled: list[str] = []

    def __call__(self, stored: StoredDefinition) -> Program:
        if stored.definition == "broken":
            raise EngineError("of a later version")
        if stored.definition == "odd":
            raise ZeroDivisionError
        self.compiled.append(stored.definition)
        return program(triggers=[{"event": f"test.{stored.definition}"}])


def indexed(source: Definitions) -> tuple[Index, Compiler]:
    """An index that has loaded nothing yet."""
    compiler = Compiler()
    return Index(source, compiler, source.refresh_types), compiler


def asking(index: Index, event_id: str) -> list[str]:
    """The automations that ask for an event."""
    return [automation.id for automation, _ in index.entries(event_id)]


@moved
async def test_automations_are_found_by_event_in_order_of_their_creation() -> None:
    source = Definitions()
    source.save(head("second", position=2), "event")
    source.save(head("first", position=1), "event")
    source.save(head("off", enabled=False), "event")
    index, _ = indexed(source)
    assert (index.revision, asking(index, "test.event")) == (-1, [])
    await index.refresh()
    assert index.revision == source.number
    assert asking(index, "test.event") == ["first", "second"]
    assert asking(index, "test.other") == []
    assert index.automation("off") is None
    assert {one.id for one in index.automations()} == {"first", "second"}


@moved
async def test_only_what_has_changed_is_read_and_compiled() -> None:
    source = Definitions()
    source.save(head("a"))
    source.save(head("b"))
    index, compiler = indexed(source)
    await index.refresh()
    compiler.compiled.clear()
    source.save(head("b", version=2), "new")
    await index.refresh()
    assert source.read[-1] == [("b", 2)]
    assert compiler.compiled == ["new"]
    assert (asking(index, "test.a"), asking(index, "test.b"), asking(index, "test.new")) == (
        ["a"],
        [],
        ["b"],
    )


@moved
async def test_an_index_that_is_new_enough_reads_nothing() -> None:
    source = Definitions()
    source.save(head("a"))
    index, _ = indexed(source)
    await index.at_least(1)
    source.calls.clear()
    await index.at_least(1)
    await index.at_least(0)
    assert source.calls == []
    source.save(head("b"))
    await index.at_least(2)
    assert asking(index, "test.b") == ["b"]


@moved
async def test_many_that_need_a_revision_at_once_load_it_once() -> None:
    source = Definitions()
    source.save(head("a"))
    index, _ = indexed(source)
    await asyncio.gather(*(index.at_least(1) for _ in range(5)))
    assert source.calls == ["heads", "types", "definitions"]


@moved
async def test_types_are_loaded_before_what_is_compiled_by_them() -> None:
    source = Definitions()
    source.save(head("a"))
    index, _ = indexed(source)
    await index.refresh()
    assert source.calls.index("types") < source.calls.index("definitions")


@moved
async def test_a_new_name_needs_no_new_program() -> None:
    source = Definitions()
    source.save(head("a"))
    index, compiler = indexed(source)
    await index.refresh()
    source.save(head("a", name="new name"))
    await index.refresh()
    assert compiler.compiled == ["a"]
    assert [one.id for one in index.named("new name")] == ["a"]
    assert index.named("a") == ()


@moved
async def test_an_automation_that_was_disabled_is_found_no_more_and_again_when_it_is_enabled() -> (
    None
):
    source = Definitions()
    source.save(head("a"))
    index, _ = indexed(source)
    await index.refresh()
    source.save(head("a", enabled=False))
    await index.refresh()
    assert (asking(index, "test.a"), index.automation("a")) == ([], None)
    source.save(head("a"))
    await index.refresh()
    assert asking(index, "test.a") == ["a"]


@moved
async def test_an_id_that_was_deleted_and_made_anew_is_read_anew() -> None:
    """Its versions begin again at 1; its position is another."""
    source = Definitions()
    source.save(head("a", position=1), "old")
    index, _ = indexed(source)
    await index.refresh()
    source.delete("a")
    source.save(head("a", position=2), "new")
    await index.refresh()
    assert (asking(index, "test.old"), asking(index, "test.new")) == ([], ["a"])


@moved
async def test_a_definition_that_cannot_be_compiled_leaves_the_others_in_force() -> None:
    source = Definitions()
    source.save(head("bad"), "broken")
    source.save(head("good"))
    index, _ = indexed(source)
    with capture_logs() as logs:
        await index.refresh()
    assert index.revision == source.number
    assert [one.id for one in index.automations()] == ["good"]
    assert [(line["event"], line["automation_ids"]) for line in logs[:1]] == [
        ("automation.unreadable", ["bad"])
    ]
    source.save(head("bad", version=2), "mended")
    await index.refresh()
    assert asking(index, "test.mended") == ["bad"]


@moved
async def test_many_that_cannot_be_compiled_are_told_of_in_one_line_and_once() -> None:
    source = Definitions()
    for number in range(300):
        source.save(head(f"bad{number}", position=number), "broken")
    index, _ = indexed(source)
    with capture_logs() as logs:
        await index.refresh()
        source.save(head("good"))
        await index.refresh()
    (line,) = [one for one in logs if one["event"] == "automation.unreadable"]
    assert (line["number"], line["automation_ids"]) == (300, [f"bad{n}" for n in range(5)])
    assert "of a later version" in str(line["error"])
    assert line["exc_info"] is None, "nothing unexpected: no traceback"


@moved
async def test_what_nobody_has_thought_of_is_told_of_with_one_traceback() -> None:
    source = Definitions()
    source.save(head("a"), "broken")
    for name in ("b", "c"):
        source.save(head(name), "odd")
    index, _ = indexed(source)
    with capture_logs() as logs:
        await index.refresh()
    (line,) = [one for one in logs if one["event"] == "automation.unreadable"]
    assert line["number"] == 3
    assert isinstance(line["exc_info"].__cause__, ZeroDivisionError)


@moved
async def test_what_is_deleted_between_the_two_reads_is_passed_over() -> None:
    source = Definitions()
    source.save(head("a"))
    source.save(head("b"))
    del source.kept["a", 1]
    index, _ = indexed(source)
    await index.refresh()
    assert [one.id for one in index.automations()] == ["b"]


@moved
async def test_a_load_that_fails_leaves_the_index_as_it_was() -> None:
    source = Definitions()
    source.save(head("a"))
    index, _ = indexed(source)
    await index.refresh()
    source.save(head("b"))
    source.away.times = 1
    with pytest.raises(Unavailable):
        await index.refresh()
    assert (index.revision, asking(index, "test.a"), asking(index, "test.b")) == (1, ["a"], [])
    await index.refresh()
    assert (index.revision, asking(index, "test.b")) == (2, ["b"])


@moved
async def test_a_run_has_the_program_of_the_version_that_it_was_started_with() -> None:
    source = Definitions()
    source.save(head("a"), "old")
    source.save(head("a", version=2), "new")
    index, compiler = indexed(source)
    await index.refresh()
    assert (await index.program("a", 2)).triggers[0].event == "test.new"
    old = await index.program("a", 1)
    assert old.triggers[0].event == "test.old"
    assert await index.program("a", 1) is old
    assert compiler.compiled == ["new", "old"]


@moved
async def test_a_version_that_is_gone_or_unreadable_is_told_by_its_name() -> None:
    source = Definitions()
    source.save(head("bad"), "broken")
    index, _ = indexed(source)
    with pytest.raises(DefinitionLost, match="automation a v3 is not stored any more"):
        await index.program("a", 3)
    with pytest.raises(DefinitionUnreadable, match=r"bad v1 cannot be read .*: of a later version"):
        await index.program("bad", 1)


@moved
async def test_not_more_than_so_many_old_programs_are_kept() -> None:
    source = Definitions()
    for version in range(1, OLD_PROGRAMS + 3):
        source.save(head("a", version=version))
    index, compiler = indexed(source)
    for version in range(1, OLD_PROGRAMS + 2):
        await index.program("a", version)
    await index.program("a", OLD_PROGRAMS + 1)
    assert len(compiler.compiled) == OLD_PROGRAMS + 1
    await index.program("a", 1)  # the oldest had to go
    assert len(compiler.compiled) == OLD_PROGRAMS + 2


@moved
async def test_others_have_their_turn_between_two_automations_and_see_the_old_or_the_new() -> None:
    source = Definitions()
    source.save(head("old"), "event")
    index, compiler = indexed(source)
    await index.refresh()
    for number in range(300):
        source.save(head(f"new{number}", position=2 + number), "event")
    source.save(head("odd"), "broken")
    source.save(head("old", version=2), "other")
    compiler.compiled.clear()
    turns, seen = list[int](), set[tuple[int, int, int]]()

    async def others() -> None:
        while len(compiler.compiled) < 301:
            turns.append(len(compiler.compiled))
            found = len(index.entries("test.event")), len(index.automations())
            seen.add((index.revision, *found))
            await asyncio.sleep(0)

    before = index.revision
    async with asyncio.TaskGroup() as group:
        group.create_task(others())
        await index.refresh()
    assert max(b - a for a, b in pairwise(turns)) == 1
    assert seen == {(before, 1, 1)}
    assert (index.revision, len(index.entries("test.event"))) == (source.number, 300)
    assert [*index.unreadable()] == ["odd"]
