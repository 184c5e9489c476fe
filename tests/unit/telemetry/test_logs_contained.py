"""A log line is written whatever is put into it: it is asked for where failures are handled."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
import structlog

from lockstep.model.errors import BusUnavailable
from lockstep.model.secrets import MASKER
from lockstep.settings.structs import LogSettings
from lockstep.telemetry import logs
from lockstep.telemetry.logs import TRACEBACK_BYTES

Format = Literal["json", "console"]


class Quit(BaseException):
    """One that `except Exception` does not catch."""


class Unsayable(Exception):
    """One whose texts cannot be had."""

    def __str__(self) -> str:
        raise Quit

    __repr__ = __str__


class Liar:
    """One that raises whatever it is asked, its class too."""

    def __getattribute__(self, name: str) -> Any:
        raise Quit

    def __repr__(self) -> str:
        raise asyncio.CancelledError

    __str__ = __repr__

    def __eq__(self, _: object) -> bool:
        raise Quit

    __hash__ = None  # type: ignore[assignment]


class Halves:
    """One that says what cannot be encoded."""

    def __repr__(self) -> str:
        return "a\ud800"


def cyclic() -> dict[str, Any]:
    """An object that holds itself."""
    made: dict[str, Any] = {}
    made["self"] = made
    return made


def nested() -> list[Any]:
    """Lists deeper than the stack."""
    made: list[Any] = []
    for _ in range(100_000):
        made = [made]
    return made


class SaysNothing(str):
    """A text that raises."""

    __slots__ = ()

    def __str__(self) -> str:
        raise Quit


ODD: dict[str, Callable[[], Any]] = {  # made late: pytest looks at what stands in a module
    "half": lambda: "a\ud800",
    "halves": Halves,
    "half_inside": lambda: {"a": ["\ud800"]},
    "half_key": lambda: {"\ud800": 1},
    "unsayable": Unsayable,
    "unsayable_inside": lambda: [Unsayable()],
    "liar": Liar,
    "liar_inside": lambda: {"a": Liar()},
    "cyclic": cyclic,
    "nested": nested,
    "huge": lambda: 10**5000,
    "many": lambda: ["x" * 1000] * 10_000,
    "nan": lambda: float("nan"),
    "bytes": lambda: b"\xff",
    "keys": lambda: {(1, 2): 3, None: Unsayable},
    "says_nothing": lambda: SaysNothing("a"),
    "number": lambda: 7,
    "none": lambda: None,
}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is on standard error."""
    made = io.StringIO()
    monkeypatch.setattr("sys.stderr", made)
    return made


@pytest.fixture(params=["json", "console"])
def form(
    request: pytest.FixtureRequest, logging_as_it_was: None, written: io.StringIO
) -> Iterator[Format]:
    """Lines as a service writes them, and as people read them."""
    del logging_as_it_was, written  # they come first
    form: Format = request.param
    handlers = logging.root.handlers[:]
    logs.configure(LogSettings(format=form, level="info"))
    yield form
    logging.root.handlers[:] = handlers


def only_line(written: io.StringIO, form: Format) -> dict[str, Any]:
    """The one line that was written; of one for people no more than its text."""
    text = written.getvalue()
    if form == "console":
        return {"event": text}
    (line,) = text.splitlines()
    read: dict[str, Any] = json.loads(line)
    return read


@pytest.mark.parametrize("odd", ODD)
def test_whatever_is_in_a_line_it_is_written_with_the_rest(
    form: Format, written: io.StringIO, odd: str
) -> None:
    structlog.get_logger().info("odd.said", odd=ODD[odd](), beside="as it is", number=7)
    line = only_line(written, form)
    assert "odd.said" in line["event"]
    assert form == "console" or (line["beside"], line["number"]) == ("as it is", 7)
    assert form == "console" or (line["level"], "timestamp" in line) == ("info", True)
    assert form == "console" or "odd" in line


@pytest.mark.parametrize("odd", ODD)
def test_whatever_is_bound_to_a_logger_its_lines_are_written(
    form: Format, written: io.StringIO, odd: str
) -> None:
    structlog.get_logger().bind(odd=ODD[odd]()).warning("odd.said", **{"a\ud800": 1})
    assert "odd.said" in only_line(written, form)["event"]


@pytest.mark.parametrize("odd", ODD)
def test_whatever_is_said_a_line_is_written(form: Format, written: io.StringIO, odd: str) -> None:
    structlog.get_logger().info(ODD[odd]())
    assert "line.unwritten" not in str(only_line(written, form))


class Noted(Exception):
    """One whose notes cannot be had."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__notes__":
            raise Quit
        return super().__getattribute__(name)


class Tangled(ExceptionGroup[Exception]):
    """A group that does not tell what is in it."""

    def __getattribute__(self, name: str) -> Any:
        if name == "exceptions":
            raise Quit
        return super().__getattribute__(name)


@pytest.mark.parametrize(
    "error",
    [
        lambda: ValueError("a\ud800b"),
        Unsayable,
        lambda: Noted("a"),
        lambda: Tangled("a", [ValueError()]),
        lambda: KeyError(Liar()),
    ],
    ids=["half", "unsayable", "noted", "tangled", "key"],
)
def test_whatever_was_raised_its_line_is_written_and_names_it(
    form: Format, written: io.StringIO, error: Callable[[], Exception]
) -> None:
    raised = error()

    def fails() -> None:
        raise raised

    try:
        fails()
    except Exception as caught:  # noqa: BLE001 - as where plug-ins are called
        structlog.get_logger().exception("odd.raised", error=caught)
    line = only_line(written, form)
    assert "odd.raised" in line["event"]
    told = line["event"] if form == "console" else line["exception"]
    assert type(raised).__name__ in told
    assert len(told.encode()) <= 3 * TRACEBACK_BYTES


@pytest.mark.parametrize(
    "exc_info",
    [Liar, lambda: (1,), lambda: (ValueError, Unsayable(), None), lambda: "yes", lambda: (1, 2, 3)],
    ids=["liar", "short", "unsayable", "text", "numbers"],
)
def test_whatever_is_said_to_be_raised_the_line_is_written(
    form: Format, written: io.StringIO, exc_info: Callable[[], Any]
) -> None:
    structlog.get_logger().error("odd.raised", exc_info=exc_info(), beside="as it is")
    line = only_line(written, form)
    assert "odd.raised" in line["event"]
    assert form == "console" or line["beside"] == "as it is"


def test_what_is_bound_to_the_task_is_in_a_line_that_is_written_once_more(
    form: Format, written: io.StringIO
) -> None:
    with structlog.contextvars.bound_contextvars(odd="\ud800", run_id="r-1", empty=""):
        structlog.get_logger().info("odd.said", error=BusUnavailable("away"))
    line = only_line(written, form)
    assert "odd.said" in line["event"]
    assert form == "console" or (line["run_id"], line["odd"], line["empty"]) == ("r-1", "?", "")
    assert form == "console" or line["code"] == BusUnavailable.code


def test_no_secret_is_shown_in_a_line_that_is_written_once_more(
    form: Format, written: io.StringIO
) -> None:
    MASKER.remember("hush-hush-hush")
    structlog.get_logger().info(
        "odd.said", odd=Liar(), one="hush-hush-hush", two={"a": ["hush-hush-hush"]}, half="\ud800"
    )
    line = str(only_line(written, form))
    assert "odd.said" in line
    assert "hush" not in line


# A record asks an argument for its class; whoever logs a liar so is told by the library.
@pytest.mark.parametrize("odd", [name for name in ODD if name != "liar"])
def test_what_libraries_log_raises_neither(form: Format, written: io.StringIO, odd: str) -> None:
    record = logging.LogRecord("library", 30, "", 1, "it says %s", (ODD[odd](),), None)
    for handler in logging.root.handlers:
        if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter):
            handler.handle(record)  # those of pytest raise
    line = only_line(written, form)
    assert "it says" in line["event"]
    assert form == "console" or line["logger"] == "library"


def test_a_line_that_nobody_takes_ends_nothing(form: Format, written: io.StringIO) -> None:
    del form
    written.close()
    structlog.get_logger().error("odd.said")
