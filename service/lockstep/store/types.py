"""Types that services have registered, in PostgreSQL."""

from lockstep.model.types import StoredType, TypeKind
from lockstep.store.pool import Store
from lockstep.store.queries import query


class TypeStore:
    """What the catalog needs of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def register(self, kind: TypeKind, type_id: str, owner: str, document: bytes) -> bool:
        """Store a type, in force for all events from now on; False if it is another owner's.

        One that is stored as it is already changes nothing: services register at each start.
        """
        async with self._store.connection() as connection:
            row = await connection.fetchrow(*query(f"catalog/{kind}_type", id=type_id))
            if row is not None and (row["owner"], row["document"]) == (owner, document):
                return True
            done = await connection.fetchval(
                *query(f"catalog/register_{kind}", id=type_id, owner=owner, document=document)
            )
        return done is not None

    async def since(self, revision: int) -> list[StoredType]:
        """Give what was registered or changed after a revision, in that order."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("catalog/types_since", revision=revision))
        return [
            StoredType(row["kind"], row["id"], row["owner"], row["document"], row["revision"])
            for row in rows
        ]
