"""Where values of secrets come from. Each source knows a name, does not, or cannot be asked now."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

import msgspec

from lockstep.model.errors import EngineError, NobodyAnswers
from lockstep.model.secrets import SecretRefused
from lockstep.ports.actions import Asker
from lockstep_schemas.secrets import SecretReply, SecretRequest

# Keys and chains of certificates have some KiB: more is the wrong file.
MAX_BYTES: Final = 64 * 1024

_reply = msgspec.json.Decoder(SecretReply).decode


class SecretSource(Protocol):
    """One place where secrets are kept."""

    async def find(self, request: SecretRequest) -> str | None:
        """Give the value, or None if it has none of this name. Raise SecretRefused."""
        ...

    @property
    def label(self) -> str:
        """What it is, for messages."""
        ...


class Environment:
    """Variables of the process: a prefix, then the name as it is."""

    def __init__(self, prefix: str, environ: Mapping[str, str] = os.environ) -> None:
        self._prefix, self._environ = prefix, environ

    @property
    def label(self) -> str:
        """See `SecretSource`."""
        return f"the environment ({self._prefix}<NAME>)"

    async def find(self, request: SecretRequest) -> str | None:
        """See `SecretSource`."""
        return self._environ.get(self._prefix + request.name)


class Folder:
    """Files that are called like secrets, as Docker and Kubernetes mount them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def label(self) -> str:
        """See `SecretSource`."""
        return f"the folder {self._folder}"

    async def find(self, request: SecretRequest) -> str | None:
        """See `SecretSource`; a name is letters, digits and `_`, so it leads nowhere else."""
        return await asyncio.to_thread(self._read, request.name)

    def _read(self, name: str) -> str | None:
        try:
            with (self._folder / name).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                raise SecretRefused(f"secret '{name}': its file has more than {MAX_BYTES} bytes")
            return content.decode().rstrip("\r\n")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise SecretRefused(f"secret '{name}': its file cannot be read: {reason}") from None


class SecretService:
    """A service that answers requests on `lockstep.secret`."""

    def __init__(self, asker: Asker, subject: str, seconds: float) -> None:
        self._asker, self._subject, self._seconds = asker, subject, seconds

    @property
    def label(self) -> str:
        """See `SecretSource`."""
        return f"the service on {self._subject}"

    async def find(self, request: SecretRequest) -> str | None:
        """See `SecretSource`."""
        name = request.name
        body = msgspec.json.encode(request)
        try:
            answer = await self._asker.ask(self._subject, body, {}, self._seconds)
        except NobodyAnswers:
            raise SecretRefused(f"secret '{name}': no service answers {self._subject}") from None
        except EngineError as error:
            raise SecretRefused(f"secret '{name}': {error}") from None
        if answer.error_code:
            raise SecretRefused(f"secret '{name}': {self._subject} answered {answer.error_code}")
        try:
            reply = _reply(answer.body)
        except (msgspec.DecodeError, ValueError):
            # What it answered is not repeated: it may hold the value.
            raise SecretRefused(f"secret '{name}': {self._subject} answered nonsense") from None
        if reply.error is not None:
            raise SecretRefused(f"secret '{name}': {self._subject}: {reply.error[:200]}")
        return reply.value
