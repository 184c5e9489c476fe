"""What a measurement raises."""

from lockstep.model.errors import EngineError


class BenchFailed(EngineError):
    """The engine under measurement did not do what it must; no figure is given."""

    code = "bench.failed"
    advice = "Look at the lines of the engine's log above, and try again on an idle machine."
