"""Log lines: JSON for machines, colours for people; always on standard error."""

import logging
import os
import sys
from typing import Final

import msgspec
import structlog
from structlog.typing import EventDict, Processor

from lockstep.model.errors import EngineError
from lockstep.model.secrets import MASKER
from lockstep.model.texts import TEXT_BYTES, storable
from lockstep.settings.structs import LogSettings

TRACEBACK_BYTES: Final = 64 * 1024  # hundreds of lines; what an exception says may be long


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
            line[name] = str(error) or type(error).__name__
    if exc_info is not None:
        line["exc_info"] = exc_info
    return line


def _raised(exc_info: object) -> object:
    """Give the exception of a line that has a traceback; it is handled now, or was handed over."""
    if isinstance(exc_info, tuple):
        return exc_info[1]
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


def configure(settings: LogSettings) -> None:
    """Write log lines as the settings say; warnings of libraries too."""
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    is_terminal = sys.stderr.isatty()
    as_json = settings.format == "json" or (settings.format == "auto" and not is_terminal)
    last = _as_json() if as_json else _for_people(colors=is_terminal)
    structlog.configure(
        processors=[*_SHARED, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)


def silence() -> None:
    """Write none: a command says itself what went wrong."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.basicConfig(level=logging.CRITICAL, force=True)


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
