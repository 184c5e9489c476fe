"""What the catalog reads of the types that services have registered."""

from collections.abc import Sequence
from typing import Protocol

from lockstep.model.types import StoredType


class TypeSource(Protocol):
    """What the catalog reads of the types that services have registered."""

    async def since(self, revision: int) -> Sequence[StoredType]:
        """What was registered or changed after a revision, in that order."""
        ...
