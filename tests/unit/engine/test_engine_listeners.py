"""The one list of listeners: told in its order, and one that raises keeps nobody from hearing."""

from collections.abc import Sequence

from structlog.testing import capture_logs

from lockstep.engine.listeners import MOMENTS, Listeners
from lockstep.model.new_runs import NewRun
from lockstep.model.runs import Checkpoint
from lockstep.model.timers import Hold, Holder
from lockstep.model.waits import Due
from lockstep.ports.listeners import Listener
from unit.fakes import Heard, Measured
from unit.values import NOW, checkpoint, event, later, uid


class Named(Listener):
    """Notes when it hears of launches, in a list that it shares with others."""

    def __init__(self, name: str, told: list[str]) -> None:
        self.name, self.told = name, told

    def launched(self, runs: Sequence[NewRun]) -> None:
        self.told.append(self.name)


class Broken(Listener):
    """Raises at whatever it is told."""

    def launched(self, runs: Sequence[NewRun]) -> None:
        raise LookupError("broken")

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        raise LookupError("broken")


class Deaf(Listener):
    """Overrides nothing; that it is called at all, its base would say."""

    def __getattribute__(self, name: str) -> object:
        assert name not in MOMENTS or name == "launched", f"{name} is looked up for nothing"
        return super().__getattribute__(name)

    def launched(self, runs: Sequence[NewRun]) -> None:
        """Hear, so that one moment of it is called."""


def test_all_are_told_in_the_order_of_the_list() -> None:
    told: list[str] = []
    listeners = Listeners([Named(name, told) for name in ("b", "a", "c")], Measured())
    listeners.launched([])
    listeners.launched([])
    assert told == ["b", "a", "c"] * 2


def test_each_moment_reaches_who_overrides_it_with_what_was_told() -> None:
    heard = Heard()
    listeners = Listeners([heard], Measured())
    hold = Hold(
        id=uid(1), holder=Holder("a", "t", None), event_id="e", by=(NOW, 1), event=event(),
        armed_at=NOW, due_at=later(1),
    )  # fmt: skip
    tick, done = Due(uid(2), "schedule", NOW), checkpoint()
    listeners.launched([])
    listeners.fired([])
    listeners.armed([hold], [uid(3)], [tick])
    listeners.checkpointed([done])
    listeners.ended([])
    listeners.looking([uid(4)])
    listeners.judged([])
    listeners.reported([])
    assert heard.order == [*MOMENTS]
    assert (heard.holds, heard.disarmed, heard.ticks) == ([hold], [uid(3)], [tick])
    assert (heard.checkpoints, heard.looks) == ([done], [uid(4)])


def test_every_moment_of_the_port_is_one_of_the_list() -> None:
    moments = {name for name in vars(Listener) if not name.startswith("_")}
    assert moments == {*MOMENTS}
    assert moments <= {*vars(Listeners)}


def test_one_that_raises_is_logged_and_counted_and_the_others_hear() -> None:
    told: list[str] = []
    meter = Measured()
    listeners = Listeners([Named("first", told), Broken(), Named("last", told)], meter)
    with capture_logs() as logs:
        listeners.launched([])
        listeners.checkpointed([])
    assert told == ["first", "last"]
    assert [(line["event"], line["listener"], line["moment"]) for line in logs] == [
        ("listener.failed", "Broken", "launched"),
        ("listener.failed", "Broken", "checkpointed"),
    ]
    assert meter.failed["Broken"] == 2


def test_every_listener_has_a_number_before_it_fails() -> None:
    meter = Measured()
    Listeners([Heard(), Broken()], meter)
    assert meter.failed == {"Heard": 0, "Broken": 0}


def test_a_moment_that_somebody_does_not_override_is_not_called() -> None:
    """Checkpoints come by thousands."""
    heard = Heard()
    listeners = Listeners([Deaf(), heard], Measured())
    listeners.checkpointed([checkpoint()])
    listeners.launched([])
    assert heard.order == ["checkpointed", "launched"]
