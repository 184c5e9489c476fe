"""What the engine lends to actions: a bag of services, by their type."""

from collections.abc import Callable
from typing import Self

from lockstep.catalog.errors import AlreadyRegistered
from lockstep.model.types import Service


class ServiceBag:
    """The services that the engine has; implements `model.types.Services`.

    A service is asked for by the very type that it was added as, mostly a protocol of `ports`.
    """

    __slots__ = ("_services",)

    def __init__(self) -> None:
        self._services: dict[object, object] = {}

    # The two are not typed as belonging together: mypy takes what it infers for `service` as the
    # type, and then finds the protocol to be another one.
    def add(self, kind: Callable[..., object], service: object) -> Self:
        """Add a service as a `kind`, which it must be.

        Raises:
            AlreadyRegistered: There is one of this type.
        """
        if kind in self._services:
            raise AlreadyRegistered(f"service '{_name(kind)}' is already registered")
        self._services[kind] = service
        return self

    def get(self, kind: Callable[..., Service]) -> Service:
        """Give the service of this type.

        Raises:
            LookupError: The engine has none; the message names the type.
        """
        try:
            service: Service = self._services[kind]  # type: ignore[assignment]  # see `add`
        except KeyError:
            raise LookupError(f"the engine has no service '{_name(kind)}'") from None
        return service


def _name(kind: Callable[..., object]) -> str:
    return f"{kind.__module__}.{getattr(kind, '__qualname__', repr(kind))}"
