"""All who judge a definition say the same of it, and each fault stands where it is."""

import json
import os
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path as File
from typing import Any, Final
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databases import TEMPLATE, database, on_server
from engine.engine_fixture import EngineFixture, engine_fixture, settings_of
from lockstep import bus
from lockstep.cli.files import documents, rollout
from lockstep.cli.files.verdicts import judged
from lockstep.client.remote import Remote
from lockstep.embedded import Servers
from lockstep_schemas.api import Fault, Issue, Validation
from property.mutations import Json, Yaml, is_there, mutated

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROUNDS: Final = int(os.environ.get("LOCKSTEP_VALIDATION_ROUNDS", "150"))
THOROUGH = settings(max_examples=ROUNDS, suppress_health_check=list(HealthCheck), print_blob=True)
UNKNOWN: Final = re.compile(r"unknown key `(.*)`")
Told = list[tuple[tuple[str | int, ...], str, str | None]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def opened(servers: Servers) -> AsyncIterator[EngineFixture]:
    """One engine for all examples."""
    name = f"validation_{uuid4().hex}"
    await on_server(servers.postgres_dsn, f"create database {name} template {TEMPLATE}")
    dsn = database(servers.postgres_dsn, name)
    async with engine_fixture(settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}")) as one:
        yield one


def told(issues: Sequence[Issue]) -> Told:
    """Give issues without the places that only a text has."""
    return [(tuple(issue.path), issue.message, issue.hint) for issue in issues]


async def validated(opened: EngineFixture, **request: Json) -> Validation:
    return msgspec.convert(await opened.call("automations.validate", **request), Validation)


async def refusals(opened: EngineFixture, endpoint: str, **request: Json) -> Told:
    """Give what a change is refused for; nothing if it is done."""
    reply: bus.ApiReply = await opened.ask(endpoint, **request)
    if not reply.error_code:
        return []
    fault = msgspec.json.decode(reply.body, type=Fault)
    assert fault.code == "bad_request"
    return told(fault.issues or [])


async def commands(opened: EngineFixture, raw: Json, folder: File) -> tuple[Told, Told]:
    """Give the errors that `lockstep validate` and `lockstep apply` tell of a file."""
    file = folder / "automation.json"
    file.write_text(json.dumps({"definition": raw}))
    loaded = documents.load([file])
    assert not loaded.faults
    offline = list(judged(loaded.documents, opened.assembly.knowledge.catalog, strict=True))
    online = await rollout.validated(Remote(opened.connection), loaded.documents, set())
    for faults in (offline, online):
        assert all((fault.issue.line, fault.issue.column) != (None, None) for fault in faults)
    errors = [[f.issue for f in some if f.severity == "error"] for some in (offline, online)]
    return told(errors[0]), told(errors[1])


@THOROUGH
@given(raw=mutated())
async def test_all_who_judge_a_definition_agree(
    opened: EngineFixture, tmp_path_factory: pytest.TempPathFactory, raw: Json
) -> None:
    verdict = await validated(opened, definition=raw)
    errors = told(verdict.errors)
    assert verdict.valid == (not errors)
    for text in (json.dumps(raw), json.dumps(raw, indent=2), Yaml(raw).text):
        other = await validated(opened, source=text)
        assert (told(other.errors), told(other.warnings)) == (errors, told(verdict.warnings))
    name = f"v{uuid4().hex}"
    assert await refusals(opened, "automations.create", id=name, name="v", definition=raw) == errors
    if errors:
        right = {"name": "right", "triggers": [{"event": "never"}]}
        await opened.call("automations.create", id=name, name="v", definition=right)
    assert await refusals(opened, "automations.update", id=name, definition=raw) == errors
    await opened.call("automations.delete", id=name)
    assert await commands(opened, raw, tmp_path_factory.mktemp("files")) == (errors, errors)


@THOROUGH
@given(raw=mutated())
async def test_each_fault_is_at_a_place_that_is_there_or_at_the_key_that_is_missing(
    opened: EngineFixture, raw: Json
) -> None:
    verdict = await validated(opened, definition=raw)
    for issue in (*verdict.errors, *verdict.warnings):
        path = tuple(issue.path)
        if is_there(raw, path):
            continue
        holder = path[:-2] if path[-2:-1] == ("config",) else path[:-1]  # it may be left out
        assert is_there(raw, holder), issue
        is_missing = "is missing" in issue.message or "needs an `id`" in issue.message
        assert is_missing, issue
    assert len(set(told(verdict.errors))) == len(verdict.errors), "told twice"


@THOROUGH
@given(raw=mutated())
async def test_line_and_column_are_those_of_the_token(opened: EngineFixture, raw: Json) -> None:
    written = Yaml(raw)
    lines = written.text.split("\n")
    verdict = await validated(opened, source=written.text)
    for issue in (*verdict.errors, *verdict.warnings):
        path: tuple[str | int, ...] = tuple(issue.path)
        unknown = UNKNOWN.fullmatch(issue.message)
        if unknown and is_there(raw, (*path, unknown[1])):
            path = (*path, unknown[1])  # it is told of what has the key, where the key stands
        assert (issue.line, issue.column) == written.place(path), issue
        while not is_there(raw, path):
            path = path[:-1]
        if path and isinstance(path[-1], str):
            assert issue.line is not None
            rest = lines[issue.line - 1][(issue.column or 1) - 1 :]
            assert rest.startswith(f"{json.dumps(path[-1])}:"), issue


@THOROUGH
@given(text=st.text(alphabet='{}[]:-,&*!|>"#ab \n\t\0é'))
async def test_a_text_that_is_no_definition_is_refused_with_a_place_in_it(
    opened: EngineFixture, text: str
) -> None:
    verdict = await validated(opened, source=text)
    assert not verdict.valid
    lines: list[Any] = text.split("\n")
    for issue in verdict.errors:
        assert issue.line is not None
        assert issue.column is not None
        assert 1 <= issue.line <= max(1, len(lines))
        assert 1 <= issue.column <= len(lines[issue.line - 1]) + 1
