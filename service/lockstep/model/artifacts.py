"""What steps produce and consume."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from lockstep_schemas.base import Json, JsonObject


class ArtifactRow(msgspec.Struct, frozen=True):
    """What a step produced."""

    id: UUID
    action_id: str
    artifact_type: str
    data: JsonObject


class Consumable(msgspec.Struct, frozen=True):
    """An open artifact that an action is handed."""

    id: UUID
    data: Json


Consumed = Mapping[str, Consumable]
