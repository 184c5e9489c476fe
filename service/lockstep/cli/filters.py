"""Options that say which runs, automations or dead letters, and what is asked of them."""

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, get_args

import msgspec
import typer
from msgspec import UNSET, UnsetType

from lockstep.cli import completion
from lockstep_schemas.run_events import ACTIVE, RunEventData, RunStatus

if TYPE_CHECKING:
    from lockstep_schemas import api, dead

OfKey = Annotated[
    str | None,
    typer.Option(
        "--key", "--context-key", help="Only of this context key; empty for those of none."
    ),
]
OfError = Annotated[
    str | None, typer.Option("--error", help="Only with this in the error, in any case.")
]
OfText = Annotated[
    str | None, typer.Option("--text", help="Only with this somewhere, in any case.")
]
OfStatus = Annotated[
    str | None,
    typer.Option(
        "--status",
        help="Only those; `active` and `ended` are several.",
        autocompletion=completion.status,
    ),
]
Since = Annotated[
    str | None,
    typer.Option("--since", help="Only since this time, or so long ago: 15m, 2h, '3 days'."),
]
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(
    r"([0-9]{1,6}|an?) *(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?)(?: +ago)?"
)


class EventFilter(NamedTuple):
    """Which run events are wanted, as `runs list` says which runs."""

    statuses: Collection[RunStatus] = ()
    event: str | None = None
    error: str | None = None
    text: str | None = None
    key: str | None | UnsetType = UNSET

    def has(self, status: RunStatus) -> bool:
        """Tell whether runs of this status are wanted."""
        return not self.statuses or status in self.statuses

    def fits(self, data: RunEventData) -> bool:
        """Tell whether an event is wanted."""
        started_by, every = data.trigger_event_id, (self.event or "").endswith("*")
        texts = (data.automation_name, started_by, data.context_key, data.error, data.reason)
        return (
            self.has(data.status)
            and (self.key is UNSET or self.key == data.context_key)
            and (
                self.event is None
                or started_by == self.event
                or (every and started_by.startswith(self.event[:-1]))
            )
            and (self.error is None or _is_in(self.error, data.error))
            and (self.text is None or any(_is_in(self.text, one) for one in texts))
        )


def statuses_of(words: Collection[str]) -> frozenset[RunStatus]:
    """Make statuses of what was typed; `active` and `ended` are several.

    Raises:
        typer.BadParameter: One is none.
    """
    known: tuple[RunStatus, ...] = get_args(RunStatus)
    several: dict[str, frozenset[RunStatus]] = {
        **{one: frozenset((one,)) for one in known},
        "active": ACTIVE,
        "ended": frozenset(known) - ACTIVE,
    }
    wrong = [word for word in words if word not in several]
    if wrong:
        text = f"{', '.join(wrong)}: each must be one of {', '.join(several)}"
        raise typer.BadParameter(text, param_hint="--status")
    return frozenset[RunStatus]().union(*(several[word] for word in words))


def _is_in(wanted: str, text: str | None) -> bool:
    return wanted.casefold() in (text or "").casefold()


def key_of(typed: str | None) -> str | None | UnsetType:
    """Give the context key that was typed: empty for those of none, nothing for all."""
    return UNSET if typed is None else typed or None


def typed(option: str, text: str | None) -> str | None:
    """Give what was typed.

    Raises:
        typer.BadParameter: It is empty, which would ask for all.
    """
    if text == "":
        raise typer.BadParameter("it is empty: leave it out for all", param_hint=option)
    return text


def is_filter(wanted: "api.RunsList", status: str | None) -> bool:
    """Tell whether any runs were asked for; `status` as it was typed."""
    given = (status, wanted.event, wanted.error, wanted.text, wanted.since)
    return wanted.context_key is not UNSET or any(one is not None for one in given)


def check_status(wanted: "api.RunsList", *, for_active: bool, begins: str = "start") -> None:
    """Check that an act is possible for runs of this status.

    Raises:
        typer.BadParameter: It is for others.
    """
    status = wanted.status
    if (status == "active" or status in ACTIVE) != for_active:
        which = "that are active" if for_active else "that have ended"
        raise typer.BadParameter(f"{status}: this is for runs {which}", param_hint="--status")
    if begins == "failed" and status != "failed":
        text = f"{status}: only a run that failed has a failed step; give --from start"
        raise typer.BadParameter(text, param_hint="--status")


def wish(
    status: str | None = None,
    event: str | None = None,
    error: str | None = None,
    text: str | None = None,
    key: str | None = None,
    since: str | None = None,
    cursor: str | None = None,
) -> "api.RunsList":
    """Make the first request of what was typed.

    Raises:
        typer.BadParameter: It is none.
    """
    from lockstep_schemas import api

    return api.RunsList(
        status=None if status is None else _status(status),
        event=typed("--event", event),
        error=typed("--error", error),
        text=typed("--text", text),
        context_key=key_of(key),
        since=None if since is None else moment(since),
        cursor=cursor,
    )


def letters_wish(
    event: str | None, error: str | None, text: str | None, key: str | None
) -> "dead.DeadList":
    """Make the first request for dead letters of what was typed.

    Raises:
        typer.BadParameter: It is none.
    """
    from lockstep_schemas import dead

    return dead.DeadList(
        event=typed("--event", event),
        error=typed("--error", error),
        text=typed("--text", text),
        context_key=key_of(key),
    )


def _status(text: str) -> "api.StatusFilter":
    from lockstep_schemas import api

    try:
        found: api.StatusFilter = msgspec.convert(text, api.StatusFilter)
    except msgspec.ValidationError:
        known = ", ".join(completion.status(""))
        raise typer.BadParameter(f"{text!r}: one of {known}", param_hint="--status") from None
    return found


def moment(text: str) -> datetime:
    """Read a time: ISO, in local time unless it has a zone; or how long ago it is.

    So are understood: `15m`, `15 min`, `30 minutes ago`, `an hour ago`.

    Raises:
        typer.BadParameter: It is neither.
    """
    wanted = " ".join(text.lower().split())
    ago = _AGO.fullmatch(wanted)
    try:
        if ago is not None:
            number = int(ago[1]) if ago[1].isdigit() else 1
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2][0]]: number})
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r}: a time such as 2030-01-31T12:00 or how long ago, such as 15m or "
            "'30 minutes ago', is expected",
            param_hint="--since",
        ) from None
