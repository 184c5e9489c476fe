"""Each kind of action and the module that performs it, named as the kind."""

from typing import assert_never

from lockstep.model import program
from lockstep.model.program import Node
from lockstep.walk.kinds import (
    action,
    choose,
    condition,
    delay,
    parallel,
    repeat,
    sequence,
    stop,
    variables,
    wait_for_trigger,
)
from lockstep.walk.outcome import Outcome
from lockstep.walk.step import Step


async def perform(node: Node, step: Step) -> Outcome:
    """Hand an action to the module of its kind."""
    match node:
        case program.Provide():
            return await action.perform(node, step)
        case program.Choose():
            return await choose.perform(node, step)
        case program.Parallel():
            return await parallel.perform(node, step)
        case program.Sequential():
            return await sequence.perform(node, step)
        case program.Repeat():
            return await repeat.perform(node, step)
        case program.Assign():
            return variables.perform(node, step)
        case program.Guard():
            return condition.perform(node, step)
        case program.Stop():
            return stop.perform(node, step)
        case program.Delay():
            return delay.perform(node, step)
        case program.Wait():
            return wait_for_trigger.perform(node, step)
        case _:
            assert_never(node)
