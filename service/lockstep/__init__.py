"""Lockstep: turns events on NATS JetStream into durable automations."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__version__: Final = "0.1.0"


@contextmanager
def without(package: str) -> Iterator[None]:
    """Have what is imported meanwhile find that a package is not installed.

    Only for what a library guards with `except ImportError`, and nobody uses here. Where the
    package is loaded already there is nothing to save, and nothing is done.
    """
    if package in sys.modules:
        yield
        return
    # What Python documents for this: the import system raises ModuleNotFoundError at a None.
    sys.modules[package] = None  # type: ignore[assignment] # typeshed knows modules only
    try:
        yield
    finally:
        del sys.modules[package]
