"""Log lines: JSON for machines, colours for people; always on standard error."""

import logging
import os
import sys
import traceback
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec
import structlog
from structlog.typing import EventDict, Processor

from lockstep.model.errors import EngineError
from lockstep.model.secrets import MASKER
from lockstep.model.texts import TEXT_BYTES, described, kind_of, said, storable
from lockstep.settings.structs import LogSettings

TRACEBACK_BYTES: Final = 64 * 1024  # hundreds of lines; what an exception says may be long
_PLAIN: Final = frozenset({bool, float, type(None)})
_UNWRITTEN: Final = msgspec.json.encode({"level": "error", "event": "line.unwritten"}).decode()


def explain(_: object, __: str, line: EventDict) -> EventDict:
    """Make a text of each error in a line, and add the code of the first that has one.

    `log.warning("outbox.delayed", error=error)` gets `error`, its text, and `code`; a line with a
    traceback gets the code of its exception.
    """
    exc_info = line.pop("exc_info", None)
    for name, error in [*line.items(), ("", _raised(exc_info))]:
        if isinstance(error, EngineError):
            line.setdefault("code", error.code)
        if name and isinstance(error, BaseException):
            line[name] = said(error)
    if exc_info is not None:
        line["exc_info"] = exc_info
    return line


def _raised(exc_info: object) -> object:
    """Give the exception of a line that has a traceback; it is handled now, or was handed over."""
    if type(exc_info) is tuple:  # by the type itself: an object may claim another
        return exc_info[1] if len(exc_info) > 1 else None
    return sys.exc_info()[1] if exc_info is True else exc_info


def bounded(_: object, __: str, line: EventDict) -> EventDict:
    """Cut texts that are too long for a line, after the secrets in them are masked."""
    for name, value in line.items():
        most = TRACEBACK_BYTES if name == "exception" else TEXT_BYTES
        text = repr(value) if isinstance(value, dict | list | tuple) else value
        if isinstance(text, str) and len(text) > most // 4:
            cut = storable(MASKER.text(text), most)
            line[name] = cut if isinstance(value, str) or cut != text else value
    return line


_SHARED: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    explain,
)


def contained(*processors: Processor) -> Processor:
    """Make one processor of several, the last of which writes the line: it never raises.

    Lines are written where failures are handled, and hold objects of others, which may raise
    whatever they are asked, also what `except Exception` does not catch. Then the line is written
    once more, with texts in the place of all that is in it.
    """

    def write(logger: object, method: str, line: EventDict) -> str:
        handled = sys.exc_info()[1]
        try:
            return _through(processors, logger, method, dict(line))
        except structlog.DropEvent:
            raise
        except BaseException:  # noqa: BLE001 - code of others; nothing awaits: none is for us
            return _bare(processors, logger, method, line, handled)

    return write


def _through(
    processors: tuple[Processor, ...], logger: object, method: str, line: EventDict
) -> str:
    done: object = line
    for process in processors:
        done = process(logger, method, done)  # type: ignore[arg-type] # only the last gives a text
    return str(done)


def _bare(
    processors: tuple[Processor, ...],
    logger: object,
    method: str,
    line: EventDict,
    handled: BaseException | None,
) -> str:
    """Write a line of texts and numbers only."""
    try:
        exc_info = line.get("exc_info")
        raised = handled if exc_info is True else _raised(exc_info)
        whole = {**structlog.contextvars.get_contextvars(), **line}
        texts: EventDict = {
            storable(name): shown(value) for name, value in whole.items() if name != "exc_info"
        }
        for error in (*whole.values(), raised):
            if issubclass(type(error), EngineError):
                texts.setdefault("code", type(error).code)
        if issubclass(type(raised), BaseException):
            texts["exception"] = _traceback(raised)  # type: ignore[arg-type] # mypy knows no type()
        return _through(processors, logger, method, texts)
    except BaseException:  # noqa: BLE001 - no memory, no stack: there is no more to be said
        return _UNWRITTEN


def shown(value: object) -> object:
    """Give a value as any line can hold it: a number, or a text; it never raises."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if issubclass(kind, BaseException):
        return said(value)
    try:
        if isinstance(value, str):
            return storable(MASKER.text(str.__getitem__(value, slice(None))))
        if isinstance(value, int) and abs(value) < 2**63:
            return int(value)
        return storable(MASKER.text(str.__getitem__(repr(value), slice(None))))
    except BaseException:  # noqa: BLE001 - code of others
        return f"<{kind_of(value)}>"


def _traceback(error: BaseException) -> str:
    try:
        return storable(MASKER.text("".join(traceback.format_exception(error))), TRACEBACK_BYTES)
    except BaseException:  # noqa: BLE001 - such as a property of the exception
        return described(error)


class _Output(structlog.WriteLogger):
    """Standard error, which may be closed or full: then there is nowhere to tell of it."""

    def msg(self, message: str) -> None:
        with suppress(OSError, ValueError):
            super().msg(message)

    debug = info = warning = error = critical = exception = msg


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Writes the lines of libraries; what cannot be put into a text is told without it."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            return super().format(record)
        except BaseException:  # noqa: BLE001 - code of others; nothing awaits: none is for us
            text = said(record.msg)
        try:
            plain = logging.LogRecord(
                record.name, record.levelno, record.pathname, record.lineno, text, (), None
            )
            return super().format(plain)
        except BaseException:  # noqa: BLE001 - no memory, no stack: there is no more to be said
            return _UNWRITTEN


def configure(settings: LogSettings) -> None:
    """Write log lines as the settings say; warnings of libraries too."""
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    is_terminal = sys.stderr.isatty()
    as_json = settings.format == "json" or (settings.format == "auto" and not is_terminal)
    last = _as_json() if as_json else _for_people(colors=is_terminal)
    structlog.configure(
        processors=[contained(*_SHARED, *last)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=partial(_Output, sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        _Formatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                contained(*last),
            ],
        )
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)


def _as_json() -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask,
        bounded,
        structlog.processors.JSONRenderer(serializer=_encode),
    ]


def _for_people(*, colors: bool) -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        bounded,
        _masked(
            structlog.dev.ConsoleRenderer(
                colors=colors and not os.environ.get("NO_COLOR"),
                pad_event_to=24,
                # The one of the library folds long texts for minutes, on the loop of the engine.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ),
    ]


def _masked(render: Processor) -> Processor:
    """Take the values of secrets out of a line for people."""
    return lambda logger, method, line: storable(
        MASKER.text(str(render(logger, method, line))), 2 * TRACEBACK_BYTES
    )


def _mask(_: object, __: str, line: EventDict) -> EventDict:
    """Take the values of secrets out of a line, and of the traceback in it."""
    return {
        name: MASKER.json(
            value if isinstance(value, str | int | float | None | dict | list) else repr(value)
        )
        for name, value in line.items()
    }


def _encode(line: dict[str, object], **_: object) -> str:
    first = {name: line.pop(name) for name in ("timestamp", "level", "event") if name in line}
    return msgspec.json.encode({**first, **line}, enc_hook=repr).decode()
