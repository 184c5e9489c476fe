"""What became of events, as people read it: a line for each thing, its reason below it."""

from collections.abc import Iterator, Mapping

from lockstep.cli.terminal import output
from lockstep_schemas.dead import DeadLetter
from lockstep_schemas.why import Consequence, HandledEvent, UnhandledEvent, Why


def show(why: Why, names: Mapping[str, str]) -> None:
    """Write all that is known; what is not known, and what to do next, goes to standard error."""
    for line in lines(why, names):
        output.show_line(line)
    for note in why.notes:
        output.tell(note)


def lines(why: Why, names: Mapping[str, str]) -> Iterator[str]:
    """Give the lines."""
    for waiting in why.unhandled:
        yield from _unhandled(waiting)
    for letter in why.dead_letters:
        yield from _dead(letter)
    for handled in why.items:
        yield from _handled(handled, names)


def _handled(event: HandledEvent, names: Mapping[str, str]) -> Iterator[str]:
    key = f", context key '{event.context_key}'" if event.context_key else ""
    yield f"{_named(event.event, event.message_id)}  {output.moment(event.handled_at)}{key}"
    for one in event.consequences:
        yield from _consequence(one, names)
    if event.more:
        yield f"  and {event.more:,} more, which are not told"
    if event.note:
        yield f"  {event.note}"


def _consequence(one: Consequence, names: Mapping[str, str]) -> Iterator[str]:
    where = names.get(one.automation_id, one.automation_id)
    if one.trigger_id:
        where += f", trigger {one.trigger_id}"
    run = f" run {one.run_id}" if one.run_id else ""
    path = f" at {one.action_path}" if one.action_path else ""
    match one.outcome:
        case "refused":
            said = f"refused by {one.gate}"
        case "passed_over":
            said = f"did not end the wait of{run}{path} ({one.gate})" if run else "ended no wait"
        case "skipped":
            said = f"skipped by the mode:{run}"
        case _:
            said = f"{one.outcome}{run}{path}"
    yield f"  {f'{where}: ' if where else ''}{said}"
    if one.detail and one.outcome != "woke":
        yield f"    {one.detail}"


def _dead(letter: DeadLetter) -> Iterator[str]:
    yield f"{_named(letter.event, letter.message_id)}  {output.moment(letter.died_at)}"
    yield f"  could not be handled, and is dead letter {letter.id}: {letter.reason}"
    yield f"    `lockstep dead show {letter.id}`; once mended, `lockstep dead retry {letter.id}`"


def _unhandled(event: UnhandledEvent) -> Iterator[str]:
    lane = f" of lane {event.lane}" if event.lane else ""
    yield f"{_named(event.event, event.message_id)}  {output.moment(event.stored_at)}"
    yield f"  is not handled yet: it is number {event.sequence} in the stream{lane}"
    yield "    `lockstep status` shows what holds events up"


def _named(event: str, message_id: str | None) -> str:
    return f"{event} ({message_id})" if message_id else event
