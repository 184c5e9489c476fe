"""Replicas: who owns a run, how the others learn that it is gone, and what they tell each other."""

from lockstep.replicas.claims import Claims
from lockstep.replicas.heartbeat import Heartbeat
from lockstep.replicas.notifier import Notifier
from lockstep.replicas.parked import ParkedTrials
from lockstep.replicas.presence import Presence, Successor
from lockstep.replicas.roster import Roster
from lockstep.replicas.stream_clock import StreamClock
from lockstep.replicas.unwalked import Unwalked

__all__ = [
    "Claims",
    "Heartbeat",
    "Notifier",
    "ParkedTrials",
    "Presence",
    "Roster",
    "StreamClock",
    "Successor",
    "Unwalked",
]
