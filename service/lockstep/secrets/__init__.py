"""Secrets: from the environment, from files, or from a service on the bus."""

from lockstep.secrets.resolver import Resolver
from lockstep.secrets.sources import Environment, Folder, SecretService, SecretSource

__all__ = ["Environment", "Folder", "Resolver", "SecretService", "SecretSource"]
