"""An automation in plain words: what starts it, what it does, how long it may take."""

from collections.abc import Iterator, Sequence
from typing import Final, assert_never

from lockstep.definition.spans import in_words, longest
from lockstep.definition.wording import short
from lockstep.model.types import Catalog
from lockstep_schemas.actions import (
    Action,
    Choose,
    Delay,
    Guard,
    Loop,
    Parallel,
    ProviderAction,
    Repeat,
    Stop,
    Variables,
    Wait,
)
from lockstep_schemas.actions import Sequence as SequenceAction
from lockstep_schemas.conditions import (
    And,
    Condition,
    Not,
    NumericBounds,
    NumericState,
    Or,
    Time,
    TimeWindow,
)
from lockstep_schemas.definition import Definition, Hold, Trigger
from lockstep_schemas.durations import LookBack, MaxAge, total_seconds

_INDENT: Final = "   "
_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def explained(definition: Definition, catalog: Catalog) -> list[str]:
    """Give the lines of a text that says what a definition that was validated does."""
    lines = [definition.name, "Starts:"]
    lines += [f"{_INDENT}{_trigger(one)}" for one in definition.triggers]
    if definition.conditions:
        lines.append(f"Only if {_all(definition.conditions, ' and ')}.")
    lines.append(f"Runs: {_mode(definition)}.")
    if definition.actions:
        lines += ["Does:", *_list(definition.actions, _INDENT)]
    else:
        lines.append("Does: nothing, a run succeeds at once.")
    lines.append(f"May take: {_length(definition, catalog)}.")
    return lines


def _trigger(trigger: Trigger) -> str:
    words = _event(trigger)
    if trigger.filter and trigger.filter.strip():
        words += f", if {_shown(trigger.filter.strip())}"
    if trigger.window:
        window = trigger.window
        by = f" with the same {_shown(window.partition_by)}" if window.partition_by else ""
        words += f", when there were {window.count} of them{by} within "
        words += in_words(window.minutes * 60)
        words += ", each time" if window.refire == "every" else ", once"
    if trigger.for_:
        words += f", {_time(trigger.for_)} later"
        cancel = (trigger.cancel_filter or "").strip()
        words += f" unless one comes for which {_shown(cancel)}" if cancel else ""
    if trigger.max_age:
        words += f", unless it is older than {_time(trigger.max_age)} by then"
    return words


def _event(trigger: Trigger) -> str:
    config = trigger.config or {}
    match trigger.event:
        case "automation.cron":
            zone = config.get("timezone", "UTC")
            return f"by the clock, `{config.get('cronPattern')}` in {zone}"
        case "automation.interval":
            return f"every {in_words(int(config.get('intervalSeconds', 0)))}"
        case "automation.template":
            every = in_words(int(config.get("intervalSeconds", 0)))
            return f"when {config.get('value_template')} becomes true, looked at every {every}"
        case event:
            return f"at each event {event}"


def _time(span: Hold | MaxAge) -> str:
    if span.template is not None:
        return f"({_shown(span.template)}) seconds"
    if isinstance(span, MaxAge):
        return in_words(total_seconds(span))
    hours, minutes = span.hours or 0, span.minutes or 0
    return in_words((span.seconds or 0) + 60 * minutes + 3600 * hours)


def _mode(definition: Definition) -> str:
    most = definition.max_runs
    words = {
        "single": "one at a time, what comes meanwhile starts none",
        "parallel": f"up to {most} at the same time",
        "queued": f"one at a time, with those that wait their turn up to {most}",
        "restart": "one at a time, a new one cancels the one before",
    }[definition.mode]
    by_key = definition.concurrency_scope == "context_key"
    return f"{words}, counted by context key" if by_key else words


def _length(definition: Definition, catalog: Catalog) -> str:
    span, most = longest(definition.actions, ("actions",), catalog), definition.max_duration_seconds
    if most is not None and (span.seconds is None or span.seconds > most):
        return f"up to {in_words(most)}, then it has failed (`max_duration_seconds`)"
    if span.seconds is None:
        return f"no limit can be told: {span.because}"
    return f"up to {in_words(span.seconds)}" if span.seconds else "no time"


def _list(some: Sequence[Action], before: str) -> Iterator[str]:
    for number, action in enumerate(some, 1):
        head, *rest = _action(action)
        mark = f"{number}. "
        yield f"{before}{mark}{head}"
        for line in rest:
            yield f"{before}{' ' * len(mark)}{line}"


def _action(action: Action) -> Iterator[str]:
    """Give the first line of an action, and those of what is in it."""
    lines = _said(action)
    head = next(lines)
    if action.description:
        head = f"{_shown(action.description)}: {head}"
    if not action.enabled:
        yield f"(disabled) {head}"
        return
    yield f"{head}, goes on if that fails" if action.continue_on_error else head
    yield from lines


def _said(action: Action) -> Iterator[str]:
    match action:
        case ProviderAction():
            yield _call(action)
        case Variables():
            yield f"set {', '.join(action.variables)}"
        case Guard():
            yield f"go on only if {_condition(action.condition)}"
        case Stop():
            reason = f": {_shown(action.stop.reason)}" if action.stop.reason else ""
            yield f"end the run, {'failed' if action.stop.error else 'succeeded'}{reason}"
        case Delay():
            template, seconds = action.delay.template, action.delay.seconds
            given = f"({_shown(template)}) seconds" if template else in_words(seconds or 0)
            yield f"pause for {given}"
        case Wait():
            yield _wait(action)
        case Choose():
            yield from _choose(action)
        case Parallel():
            yield "at the same time:"
            yield from _list(action.parallel, "")
        case SequenceAction():
            yield "one after the other:"
            yield from _list(action.sequence, "")
        case Repeat():
            yield f"{_loop(action.repeat)}:"
            yield from _list(action.repeat.sequence, "")
        case _:
            assert_never(action)


def _call(action: ProviderAction) -> str:
    tries = action.retry.attempts if action.retry else 1
    words = f"call {action.action}"
    return f"{words}, up to {tries} times" if tries > 1 else words


def _wait(action: Wait) -> str:
    wait = action.wait_for_trigger
    words = f"wait for the event {wait.event}"
    if wait.context_key is not None:
        words += f" with the context key {_shown(wait.context_key)}"
    if wait.filter and wait.filter.strip():
        words += f", if {_shown(wait.filter.strip())}"
    if isinstance(wait.lookback, LookBack):
        words += f" (or one of up to {in_words(total_seconds(wait.lookback))} before the run)"
    elif wait.lookback is not None:
        words += " (or one since the run was started)"
    if wait.timeout_seconds is None:
        return f"{words}, however long"
    after = "go on" if wait.continue_on_timeout else "fail"
    return f"{words} for up to {in_words(wait.timeout_seconds)}, then {after}"


def _choose(action: Choose) -> Iterator[str]:
    yield "the first of these that holds:"
    for branch in action.choose:
        yield f"- if {_condition(branch.when)}:"
        yield from _list(branch.sequence, "  ")
    if action.else_:
        yield "- else:"
        yield from _list(action.else_, "  ")


def _loop(loop: Loop) -> str:
    if loop.count is not None:
        return f"{loop.count} times"
    if loop.for_each is not None:
        return f"for each item of {_shown(loop.for_each)}"
    most = f", {loop.max_iterations or 1000} times at most"
    if loop.while_ is not None:
        return f"as long as {_shown(loop.while_)}{most}"
    return f"until {_shown(loop.until or '')}{most}"


def _condition(condition: Condition) -> str:
    match condition:
        case str():
            return _shown(condition.strip())
        case And():
            return _all(condition.and_, " and ")
        case Or():
            return _all(condition.or_, " or ")
        case Not():
            return f"not ({_condition(condition.not_)})"
        case NumericState():
            return _bounds(condition.numeric_state)
        case Time():
            return _window(condition.time)
        case _:
            assert_never(condition)


def _all(some: Sequence[Condition], between: str) -> str:
    if len(some) == 1:
        return _condition(some[0])
    return between.join(f"({_condition(one)})" for one in some)


def _bounds(bounds: NumericBounds) -> str:
    limits = [
        f"{word} {limit:g}"
        for word, limit in (("above", bounds.above), ("below", bounds.below))
        if limit is not None
    ]
    return f"{_shown(str(bounds.value))} is {' and '.join(limits)}"


def _window(window: TimeWindow) -> str:
    words = ["it is"]
    if window.weekday is not None:
        words.append(" or ".join(_DAYS[day] for day in window.weekday))
    if window.after is not None:
        words.append(f"from {window.after} on")
    if window.before is not None:
        words.append(f"before {window.before}")
    return f"{' '.join(words)} in {window.timezone}"


def _shown(text: str) -> str:
    """Give a text as one line of a length that people read."""
    return short(" ".join(text.split()))
