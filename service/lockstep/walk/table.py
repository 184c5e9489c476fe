"""Each kind of action and the module that performs it."""

from typing import assert_never, cast

from lockstep.model import program
from lockstep.model.program import Node
from lockstep.walk.kinds import (
    assign,
    choose,
    delay,
    guard,
    parallel,
    provide,
    repeat,
    sequence,
    stop,
    wait,
)
from lockstep.walk.outcome import Outcome
from lockstep.walk.step import Step

Known = (
    program.Provide
    | program.Choose
    | program.Parallel
    | program.Sequential
    | program.Repeat
    | program.Assign
    | program.Guard
    | program.Stop
    | program.Delay
    | program.Wait
)


async def perform(node: Node, step: Step) -> Outcome:
    """Hand an action to the module of its kind."""
    known = cast("Known", node)
    match known:
        case program.Provide():
            return await provide.perform(known, step)
        case program.Choose():
            return await choose.perform(known, step)
        case program.Parallel():
            return await parallel.perform(known, step)
        case program.Sequential():
            return await sequence.perform(known, step)
        case program.Repeat():
            return await repeat.perform(known, step)
        case program.Assign():
            return assign.perform(known, step)
        case program.Guard():
            return guard.perform(known, step)
        case program.Stop():
            return stop.perform(known, step)
        case program.Delay():
            return delay.perform(known, step)
        case program.Wait():
            return wait.perform(known, step)
        case _:
            assert_never(known)
