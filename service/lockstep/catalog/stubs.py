"""The plug-in `test`: actions and triggers for trying automations, and what they were called with.

Registered only where it is asked for: by test cases, and by a setting.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Protocol, Self

import msgspec
from msgspec import Meta

from lockstep.catalog.memory import MemoryCatalog
from lockstep.catalog.registry import Registry
from lockstep.model.types import ActionContext, ActionResult
from lockstep_schemas.base import Json, JsonObject


class Sleeper(Protocol):
    """A service: the clock that `test.slow` sleeps on."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds of the engine."""
        ...


class StubCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a stub action."""

    action: str
    idempotency_key: str
    run_id: str
    automation_id: str
    path: str
    attempt: int  # from 1
    value: Json  # `test.record`: the text; `test.consumer`: what it was handed; else the config


class Recorder:
    """A service: keeps the calls of stub actions, in memory and, if asked, in a file.

    The file gets one JSON line for each call, before the action goes on; several processes may
    write to the same file, and what they wrote is there after they were killed.

    Attributes:
        calls: All calls, in their order.
        records: Those of `test.record`.
        consumed: What `test.consumer` was handed: artifacts by local name.
    """

    __slots__ = ("_file", "calls", "consumed", "records")

    def __init__(self, path: Path | None = None) -> None:
        self.calls: list[StubCall] = []
        self.records: list[StubCall] = []
        self.consumed: list[JsonObject] = []
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = None if path is None else os.open(path, flags, 0o644)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; later calls are kept in memory only."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def note(self, context: ActionContext, action: str, value: Json) -> None:
        """Keep a call.

        Raises:
            OSError: The file cannot be written.
        """
        call = StubCall(
            action=action,
            idempotency_key=context.idempotency_key,
            run_id=context.run_id,
            automation_id=context.automation_id,
            path=context.step_path,
            attempt=context.attempt,
            value=value,
        )
        if self._file is not None:
            # One write to a file opened for appending: lines of several processes do not mix.
            line = msgspec.json.encode(call) + b"\n"
            if os.write(self._file, line) != len(line):
                raise OSError("the record was written in part: the disk is full")
        self.calls.append(call)
        if action == "test.record":
            self.records.append(call)
        elif action == "test.consumer":
            self.consumed.append(value)

    @staticmethod
    def read(path: Path) -> Sequence[StubCall]:
        """Read what all processes wrote to a file, in the order of writing."""
        return msgspec.json.Decoder(StubCall).decode_lines(path.read_bytes())


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Config of `test.record`."""

    value: str


class Fail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Config of `test.fail`."""

    reason: str


class Slow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Config of `test.slow`."""

    seconds: Annotated[float, Meta(ge=0, le=86400)]


class StubLog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Config of `test.log`."""

    message: Annotated[str, Meta(min_length=1)]
    level: Literal["debug", "info", "warning", "warn", "error"] = "info"


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Config of what takes none."""


class StubFired(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Config of the trigger `test.fired`."""

    interval_seconds: Annotated[int, Meta(ge=1)]


class Recorded(msgspec.Struct, frozen=True):
    """What `test.record` produces."""

    recorded: str


def register_stubs(catalog: MemoryCatalog) -> None:
    """Add the plug-in `test`; its actions need a `Recorder` among the services."""
    catalog.register("test", _types)


def _types(registry: Registry) -> None:
    registry.trigger("event", context_key="/id", category="Test")
    registry.trigger("event2", category="Test")
    registry.trigger("other", category="Test")
    registry.trigger("fired", config=StubFired, category="Test")
    registry.artifact("recorded", schema=Recorded)
    registry.artifact("thing")
    registry.add_action("record", _record, config=Record, produces="recorded", category="Test")
    registry.add_action("fail", _fail, config=Fail, category="Test")
    registry.add_action(
        "consumer", _consumer, config=Nothing, consumes=["recorded"], category="Test"
    )
    registry.add_action("slow", _slow, config=Slow, timeout_seconds=86400, category="Test")
    registry.add_action("log", _log, config=StubLog, category="Test")
    registry.add_action("create", _create, config=Nothing, produces="thing", category="Test")


async def _record(context: ActionContext) -> ActionResult:
    """Record a text."""
    value = msgspec.convert(context.config, Record).value
    _note(context, "test.record", value)
    return ActionResult(artifact={"recorded": value})


async def _fail(context: ActionContext) -> ActionResult:
    """Fail for the reason that is given."""
    reason = msgspec.convert(context.config, Fail).reason
    _note(context, "test.fail", {"reason": reason})
    return ActionResult(success=False, error=reason)


async def _consumer(context: ActionContext) -> None:
    """Record the artifacts that it is handed."""
    _note(context, "test.consumer", dict(context.consumed_artifacts))


async def _slow(context: ActionContext) -> None:
    """Sleep, then succeed."""
    seconds = msgspec.convert(context.config, Slow).seconds
    _note(context, "test.slow", {"seconds": seconds})
    clock: Sleeper
    try:
        clock = context.services.get(Sleeper)
    except LookupError:
        clock = _RealClock()
    await clock.sleep(seconds)


class _RealClock:
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _log(context: ActionContext) -> None:
    """Do nothing."""
    config = msgspec.convert(context.config, StubLog)
    _note(context, "test.log", {"message": config.message, "level": config.level})


async def _create(context: ActionContext) -> ActionResult:
    """Produce a thing."""
    _note(context, "test.create", {})
    return ActionResult(artifact={})


def _note(context: ActionContext, action: str, value: Json) -> None:
    context.services.get(Recorder).note(context, action, value)
