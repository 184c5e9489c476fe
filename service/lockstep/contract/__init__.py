"""Contract: JSON Schemas and the AsyncAPI document of all that crosses the edge."""

from lockstep.contract.files import changes, documents, write
from lockstep.contract.schemas import schemas

__all__ = ["changes", "documents", "schemas", "write"]
