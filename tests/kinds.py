"""Where each kind of a thing must be known: the functions that match all of them."""

from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

from lockstep.cases import coverage
from lockstep.definition import explain, spans
from lockstep.definition.compile import _Compiler
from lockstep.definition.conditions import compile_condition
from lockstep.definition.reach import _end, _holds, _inside
from lockstep.definition.tree import _condition, bodies, called, texts_of
from lockstep.definition.validate import _of_catalog
from lockstep.model.program import Node
from lockstep.model.waits import TimerKind, is_awaited
from lockstep.wake.due import DueWaits
from lockstep.walk.frames import Frame, attempts, live, loops, sleeps
from lockstep.walk.interpreter import _stay
from lockstep.walk.kinds import dispatch
from lockstep.walk.revive import _open
from lockstep_schemas.actions import Action
from lockstep_schemas.conditions import Condition
from lockstep_schemas.run_events import WaitKind

Place = Callable[..., Any]

ACTIONS: Final = frozenset(get_args(Action))
NODES: Final = frozenset(get_args(Node))
CONDITIONS: Final = frozenset(getattr(one, "__origin__", one) for one in get_args(Condition))
FRAMES: Final = frozenset(get_args(Frame))
WAITS: Final = frozenset(get_args(WaitKind))
TIMERS: Final = frozenset(get_args(TimerKind))

# What references to artifacts look at, `references` takes from `bodies`, `texts_of` and `called`.
OF_ACTIONS: Final[tuple[Place, ...]] = (
    _Compiler._node,
    bodies,
    called,
    texts_of,
    _inside,
    _end,
    _of_catalog,
    spans._of,
    explain._said,
    coverage._inside,
)
OF_NODES: Final[tuple[Place, ...]] = (dispatch.perform,)
OF_CONDITIONS: Final[tuple[Place, ...]] = (
    compile_condition,
    _condition,
    _holds,
    explain._condition,
)
OF_FRAMES: Final[tuple[Place, ...]] = (live, sleeps, attempts, loops, _open, _stay)
OF_WAITS: Final[tuple[Place, ...]] = (is_awaited, DueWaits.fire)

PLACES: Final[Mapping[Place, frozenset[Any]]] = {
    **dict.fromkeys(OF_ACTIONS, ACTIONS),
    **dict.fromkeys(OF_NODES, NODES),
    **dict.fromkeys(OF_CONDITIONS, CONDITIONS),
    **dict.fromkeys(OF_FRAMES, FRAMES),
    **dict.fromkeys(OF_WAITS, WAITS | TIMERS),
}
