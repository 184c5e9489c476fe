"""What an engine raises of its own services."""

from lockstep.model.errors import EngineError


class ServiceEnded(EngineError):
    """A background service came to its end, though it should go on until it is stopped."""

    code = "engine.service_ended"
    advice = "Report it with the log of the engine: it is a fault of Lockstep."
