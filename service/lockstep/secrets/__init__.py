"""Secrets: from the environment, from files, or from a service on the bus."""

from lockstep.secrets.resolver import Resolver
from lockstep.secrets.sources import Bus, Environment, Folder, Source

__all__ = ["Bus", "Environment", "Folder", "Resolver", "Source"]
