"""The meter: numbers that walks and intake add to, in plain Python because it is on their way.

One thread adds and the same one reads, so there is no lock.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

# Some three for each power of ten, as Prometheus has by default, from a commit to a slow call.
SHORT: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LONG: Final = (*SHORT, 60.0, 300.0, 1800.0, 3600.0, 21_600.0, 86_400.0)
# Of the runs of one automation, of which there are many: whether it is seconds, minutes or hours.
COARSE: Final = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 86_400.0)
# Of batches: powers of two, up to above the largest that the settings allow.
SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1000.0)

FINAL: Final = ("success", "failed", "cancelled", "skipped")


class Histogram:
    """How often values were at most so large."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Take a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Give (upper bound, how many were at most that) as Prometheus has it."""
        found, so_far = [], 0
        for bound, number in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            so_far += number
            found.append((bound, float(so_far)))
        return found


class EndCounts:
    """How runs of one automation ended, and after how long."""

    __slots__ = ("runs", "statuses")

    def __init__(self) -> None:
        self.statuses = Counter(dict.fromkeys(FINAL, 0))
        self.runs = Histogram(COARSE)


class EndsByAutomation:
    """The ends of runs of at most so many automations, and those of all others together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.others = EndCounts()
        self._found: dict[str, EndCounts] = {}

    def of(self, automation_id: str) -> EndCounts:
        """Give the ends to add one of this automation to."""
        found = self._found.get(automation_id)
        if found is not None:
            return found
        if len(self._found) >= self.most:
            return self.others
        return self._found.setdefault(automation_id, EndCounts())

    def known(self, automation_ids: Collection[str]) -> Mapping[str, EndCounts]:
        """Give all that have ends of their own, now that these are the enabled automations.

        They are given some before a run of them ends: a rate needs two numbers. Where there is no
        room for one, those that are disabled or gone make room, and their ends are forgotten.
        """
        lacking = [one for one in automation_ids if one not in self._found]
        over = len(self._found) + len(lacking) - self.most
        if over > 0:
            gone = self._found.keys() - set(automation_ids)
            for one in [one for one in self._found if one in gone][:over]:
                del self._found[one]
        for one in lacking[: self.most - len(self._found)]:
            self._found[one] = EndCounts()
        return self._found


class Measures:
    """See `ports.telemetry.Meter`; of so many automations there are figures."""

    def __init__(self, automations: int = 100) -> None:
        # What has not happened yet is shown as zero: a rate needs two numbers.
        self.events = Counter(dict.fromkeys(("accepted", "postponed", "dead_lettered"), 0))
        self.runs_ended = Counter(dict.fromkeys(FINAL, 0))
        self.automations = EndsByAutomation(automations)
        self.requests: Counter[tuple[str, str]] = Counter()
        self.listener_failures: Counter[str] = Counter()
        self.service_failures: Counter[str] = Counter()
        self.batches = Histogram(SIZES)
        self.runs = Histogram(LONG)
        self.steps: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(LONG))
        self.wakes_late = Histogram(SHORT)
        self.stalls = Histogram(SHORT)

    def event(self, outcome: str, number: int = 1) -> None:
        """See `ports.telemetry.Meter.event`."""
        self.events[outcome] += number

    def batch(self, events: int) -> None:
        """See `ports.telemetry.Meter.batch`."""
        self.batches.add(events)

    def run_ended(self, automation_id: str, status: str, seconds: float | None) -> None:
        """See `ports.telemetry.Meter.run_ended`."""
        ends = self.automations.of(automation_id)
        self.runs_ended[status] += 1
        ends.statuses[status] += 1
        if seconds is not None:
            self.runs.add(max(0.0, seconds))
            ends.runs.add(max(0.0, seconds))

    def step_ended(self, kind: str, seconds: float) -> None:
        """See `ports.telemetry.Meter.step_ended`."""
        self.steps[kind].add(max(0.0, seconds))

    def woke(self, seconds_late: float) -> None:
        """See `ports.telemetry.Meter.woke`."""
        self.wakes_late.add(max(0.0, seconds_late))

    def answered(self, endpoint: str, code: str) -> None:
        """See `ports.telemetry.Meter.answered`."""
        self.requests[endpoint, code] += 1

    def listener_failed(self, listener: str, number: int = 1) -> None:
        """See `ports.telemetry.Meter.listener_failed`."""
        self.listener_failures[listener] += number

    def service_failed(self, service: str, number: int = 1) -> None:
        """See `ports.telemetry.Meter.service_failed`."""
        self.service_failures[service] += number

    def stalled(self, seconds: float) -> None:
        """See `ports.telemetry.Meter.stalled`."""
        self.stalls.add(seconds)
