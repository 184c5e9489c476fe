"""Asks the sources in order, and has what they give masked."""

from collections.abc import Sequence

from lockstep.model.secrets import MASKER, SHORTEST, SecretRefused
from lockstep.secrets.sources import SecretSource
from lockstep_schemas.secrets import SecretRequest


class Resolver:
    """A `ports.actions.Secrets`; keeps nothing but what must be masked."""

    def __init__(self, sources: Sequence[SecretSource]) -> None:
        self._sources = sources

    async def resolve(
        self, names: Sequence[str], run_id: str, automation_id: str
    ) -> dict[str, str]:
        """Give the values, each from the first source that has it. Raise SecretRefused."""
        values = {}
        for name in names:
            value = await self._find(SecretRequest(name, run_id, automation_id))
            if len(value) < SHORTEST:
                raise SecretRefused(
                    f"secret '{name}' has fewer than {SHORTEST} characters: it could not be kept "
                    "out of logs; give it a longer value"
                )
            MASKER.remember(value)
            values[name] = value
        return values

    async def _find(self, request: SecretRequest) -> str:
        for source in self._sources:
            value = await source.find(request)
            if value is not None:
                return value
        places = ", ".join(source.label for source in self._sources)
        raise SecretRefused(f"secret '{request.name}' is not known; looked in {places}")
