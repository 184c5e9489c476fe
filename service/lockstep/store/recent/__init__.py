"""Events that waits look back on: kept, looked at, forgotten."""

from lockstep.store.recent.forgotten import RecentEvents
from lockstep.store.recent.why import EventViews

__all__ = ["EventViews", "RecentEvents"]
