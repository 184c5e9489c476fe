"""When the stream has stored what, as the clock of a case has it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lockstep.testbed.clock import BEGIN, CaseClock
from lockstep.testbed.seams import EPOCH, StreamTimes


@dataclass
class StubMessage:
    """A message of the stream, as far as its time goes."""

    sequence: int
    stored_at_ns: int = 1_700_000_000_123_456_789
    subject: str = "lockstep.trigger.a"
    data: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    stream: str = "S"
    deliveries: int = 1


def stamped(times: StreamTimes, sequence: int) -> datetime:
    """When a message that is taken was stored."""
    message = StubMessage(sequence)
    times.stamp(message)
    return EPOCH + timedelta(microseconds=message.stored_at_ns // 1000)


def seconds(times: StreamTimes, *sequences: int) -> list[int]:
    """How many whole seconds after the beginning of the case messages were stored."""
    return [(stamped(times, one) - BEGIN) // timedelta(seconds=1) for one in sequences]


def test_what_was_seen_before_the_clock_moved_keeps_that_time_whenever_it_is_taken() -> None:
    clock = CaseClock()
    times = StreamTimes(clock)
    times.reach(2)
    clock.skip(30)
    times.reach(4)
    clock.skip(30)
    assert seconds(times, 5, 3, 1, 2, 4) == [60, 30, 0, 0, 30]


def test_times_have_the_order_of_the_stream_whatever_the_order_of_taking() -> None:
    times = StreamTimes(CaseClock())
    times.reach(2)
    taken = {sequence: stamped(times, sequence) for sequence in (7, 1, 4, 2, 3, 9, 8, 5, 6)}
    assert [taken[sequence] for sequence in range(1, 10)] == sorted({*taken.values()})


def test_a_message_that_is_delivered_again_has_the_time_that_it_had() -> None:
    clock = CaseClock()
    times = StreamTimes(clock)
    first = stamped(times, 3)
    clock.skip(5)
    times.reach(2)  # an old answer: it says nothing new
    assert stamped(times, 3) == first


def test_who_comes_later_learns_of_what_was_there_and_goes_on_from_there() -> None:
    clock = CaseClock()
    times = StreamTimes(clock)
    times.reach(2)
    clock.skip(9)
    other = StreamTimes(clock)
    other.learn(times.known)
    assert seconds(other, 1, 2, 3) == [0, 0, 9]
    assert stamped(other, 2) == stamped(times, 2)
