"""How those who judge expressions give way to others."""

from typing import Protocol


class Pace(Protocol):
    """Accounts for the processor time that judging takes."""

    async def took(self, automation_id: str, event_id: str, nanoseconds: int) -> None:
        """Note what judging an event for an automation took; let others have their turn."""
        ...
