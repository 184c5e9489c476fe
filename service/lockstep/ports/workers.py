"""Workers, as others see them: by their signs of life."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import msgspec

Beat: TypeAlias = tuple[UUID, datetime]
"""A worker and the last heartbeat that was seen of it; no other beat of it is like it."""
Stale: TypeAlias = Callable[[], Sequence[Beat]]
"""Gives the workers that are taken for dead now. Whoever acts on it tests the beat again."""


class Look(msgspec.Struct, frozen=True):
    """What the store says when a worker renews its row: its own time, and the beats of others."""

    now: datetime
    others: Mapping[UUID, datetime]
