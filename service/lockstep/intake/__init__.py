"""Intake: from the messages of the bus to events."""

from lockstep.intake.decode import Decoder
from lockstep.intake.loop import Intake, Retries

__all__ = ["Decoder", "Intake", "Retries"]
