"""Notices when the loop stands still, and what it stood in."""

import asyncio
import sys
import threading
import time
from types import FrameType
from typing import Final

import structlog

from lockstep.ports.telemetry import Meter

STALL_SECONDS: Final = 0.25  # what stands so long is noticed by every run of a replica
BEAT_SECONDS: Final = 0.05  # a stall is told of so much too short at most
FRAMES: Final = 8  # of the stack, innermost first: enough to see whose work it was

log = structlog.get_logger()


class LoopWatch:
    """Counts and tells of moments in which nothing of this replica went on.

    The loop notes that it goes on. A thread looks whether it still does, and where it is if not:
    the loop itself cannot. A machine that has no time for us looks like a stall in nothing.
    """

    def __init__(self, meter: Meter, stall_seconds: float = STALL_SECONDS) -> None:
        self._meter, self._stall = meter, stall_seconds
        self._beat_at = 0.0
        self._stood_in: str | None = None

    async def run(self) -> None:
        """Watch, until cancelled."""
        over = threading.Event()
        self._beat_at = time.monotonic()
        watch = threading.Thread(
            target=self._watch, args=(threading.get_ident(), over), name="loop-watch", daemon=True
        )
        watch.start()
        try:
            while True:
                await asyncio.sleep(min(BEAT_SECONDS, self._stall))
                self._beat()
        finally:
            over.set()

    def _beat(self) -> None:
        now = time.monotonic()
        late = now - self._beat_at - min(BEAT_SECONDS, self._stall)
        self._beat_at, stood_in = now, self._stood_in
        self._stood_in = None
        if late >= self._stall:
            self._meter.stalled(late)
            log.warning("loop.stalled", seconds=round(late, 3), where=stood_in or "unknown")

    def _watch(self, loop_thread: int, over: threading.Event) -> None:
        while not over.wait(min(BEAT_SECONDS, self._stall)):
            if self._stood_in is None and time.monotonic() - self._beat_at > self._stall:
                self._stood_in = _where(sys._current_frames().get(loop_thread))  # noqa: SLF001


def _where(frame: FrameType | None) -> str:
    """Name the functions that a thread is in, innermost first."""
    found: list[str] = []
    while frame is not None and len(found) < FRAMES:
        code = frame.f_code
        file = "/".join(code.co_filename.replace("\\", "/").split("/")[-2:])
        found.append(f"{code.co_qualname} ({file}:{frame.f_lineno})")
        frame = frame.f_back
    return " < ".join(found)
