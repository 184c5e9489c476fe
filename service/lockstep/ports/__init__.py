"""Ports: what the stations need of the outside and of each other, as protocols.

The real ones are in `store`, `bus` and `telemetry`, or in other stations; `engine.assembly` hands
them out. Each module is named for who needs what is in it.
"""

import importlib
import warnings
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # what is given below, for the type checks of plug-ins
    from lockstep.ports.actions import Asker as Asker
    from lockstep.ports.actions import Children as Children
    from lockstep.ports.actions import HttpCaller as HttpCaller
    from lockstep.ports.actions import Secrets as Secrets
    from lockstep.ports.bus import Publisher as Publisher

# Where plug-ins of 0.1 have imported from: to be taken away with the version after the next.
_MOVED: Final = {
    "Asker": "actions",
    "Children": "actions",
    "HttpCaller": "actions",
    "Publisher": "bus",
    "Secrets": "actions",
}


def __getattr__(name: str) -> object:
    """Give what plug-ins have imported from here, with a warning."""
    if name not in _MOVED:
        raise AttributeError(f"module 'lockstep.ports' has no attribute '{name}'")
    warnings.warn(
        f"lockstep.ports.{name} goes with the next version: import it from lockstep.catalog",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(importlib.import_module(f"lockstep.ports.{_MOVED[name]}"), name)
