"""A process under measurement: its end, its memory, its processor time."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REST_SECONDS: Final = 2.0  # two heartbeats, so that the share is a mean
RESTING: Final = 0.05  # of a core; what an engine needs that has nothing to do
# It may have a hundred thousand sleepers to read; only what hangs takes this.
REST_LIMIT_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Replica:
    """An engine, or what stands for one, and where its output goes."""

    process: asyncio.subprocess.Process
    log: Path

    async def end(self, signal: int) -> None:
        """Send a signal, and wait for the end."""
        if self.process.returncode is None:
            self.process.send_signal(signal)
        await self.process.wait()

    def rss_mb(self) -> float | None:
        """Give the memory that it holds; None where the system does not tell.

        Source: proc(5), `statm`: the second number is the resident set, in pages.
        """
        words = self._read("statm")
        if words is None:
            return None
        return round(int(words.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)

    def processor_seconds(self) -> float | None:
        """Give the processor time that it has used; None where the system does not tell.

        Source: proc(5), `stat`: the fields 14 and 15, in ticks; a name may have blanks.
        """
        words = self._read("stat")
        if words is None:
            return None
        fields = words.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def rest(self) -> None:
        """Return when it has nothing to do any more."""
        async with asyncio.timeout(REST_LIMIT_SECONDS):
            before, share = self.processor_seconds(), 1.0
            while share > RESTING:
                await asyncio.sleep(REST_SECONDS)
                after = self.processor_seconds()
                share = ((after or 0.0) - (before or 0.0)) / REST_SECONDS
                before = after

    def _read(self, name: str) -> str | None:
        path = Path(f"/proc/{self.process.pid}/{name}")
        return path.read_text() if path.exists() else None
