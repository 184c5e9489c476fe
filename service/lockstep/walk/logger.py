"""A logger that is made when it is first used: most walks and calls log nothing."""

import sys

import structlog

from lockstep.model.types import Logger


class LazyLogger:
    """See `model.types.Logger`. Binding names to a logger costs more than walking a step."""

    __slots__ = ("_bound", "_names")

    def __init__(self, **names: object) -> None:
        self._names = names
        self._bound: Logger | None = None

    def bind(self, **names: object) -> "LazyLogger":
        """Give a logger that says these too."""
        return LazyLogger(**{**self._names, **names})

    def debug(self, event: str, **fields: object) -> object:
        """Log at this level."""
        return self._logger.debug(event, **fields)

    def info(self, event: str, **fields: object) -> object:
        """Log at this level."""
        return self._logger.info(event, **fields)

    def warning(self, event: str, **fields: object) -> object:
        """Log at this level."""
        return self._logger.warning(event, **fields)

    def error(self, event: str, **fields: object) -> object:
        """Log at this level."""
        return self._logger.error(event, **fields)

    def exception(self, event: str, **fields: object) -> object:
        """Log an error with the traceback of the exception that is handled now."""
        return self._logger.error(event, exc_info=sys.exc_info(), **fields)

    @property
    def _logger(self) -> Logger:
        if self._bound is None:
            self._bound = structlog.get_logger().bind(**self._names)
        return self._bound
