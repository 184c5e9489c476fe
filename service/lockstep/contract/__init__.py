"""Contract: JSON Schemas and the AsyncAPI document of all that crosses the edge."""

from lockstep.contract.files import changes, documents, write
from lockstep.contract.known import KnownTypes
from lockstep.contract.schemas import schemas

__all__ = ["KnownTypes", "changes", "documents", "schemas", "write"]
