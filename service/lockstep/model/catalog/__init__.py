"""Where plug-ins have imported from: `lockstep.catalog` has all that they need."""

import warnings
from typing import TYPE_CHECKING, Final

from lockstep.model import types

if TYPE_CHECKING:  # what is given below, for the type checks of plug-ins
    from lockstep.model.types import ActionContext as ActionContext
    from lockstep.model.types import ActionResult as ActionResult
    from lockstep.model.types import Logger as Logger
    from lockstep.model.types import Services as Services

# To be taken away with the version after the next.
_MOVED: Final = frozenset({"ActionContext", "ActionResult", "Logger", "Services"})


def __getattr__(name: str) -> object:
    """Give what plug-ins have imported of the model, with a warning."""
    if name not in _MOVED:
        raise AttributeError(f"module 'lockstep.model.catalog' has no attribute '{name}'")
    warnings.warn(
        f"lockstep.model.catalog.{name} goes with the next version: import it from "
        "lockstep.catalog",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(types, name)
