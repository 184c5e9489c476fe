"""Events that waits look back on: kept, looked at, forgotten."""

from lockstep.store.recent.forgotten import RecentEvents

__all__ = ["RecentEvents"]
