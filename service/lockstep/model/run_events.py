"""Run events, and what expressions see of the event that started a run."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import UNSET

from lockstep.model.outbox import EventRow
from lockstep.model.runs import RunState, StepRow
from lockstep.model.texts import TEXT_BYTES, storable
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import RunEvent, RunEventData, RunStatus, What

EVENT_BYTES: Final = 64 * 1024
"""Far below what any server takes, so that an event that is committed can always be published."""
# All texts of an event together are below its bound then, each of their bytes escaped as six.
_SHORT_BYTES: Final = 512

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RunEvent).decode


def run_event(
    prefix: str,
    run: RunState,
    seq: int,
    what: What,
    status: RunStatus,
    at: datetime,
    *,
    row: StepRow | None = None,
    error: str | None = None,
    reason: str | None = None,
    waiting_for: str | None = None,
    duration_ms: int | None = None,
    traceparent: str | None = None,
) -> EventRow:
    """Build the event `what` of a run, on its way to the outbox.

    `traceparent` is the trace context that it goes out with; else that of the run's event.
    """
    data = RunEventData(
        run_id=str(run.id),
        automation_id=run.automation_id,
        automation_name=run.automation_name,
        version=run.version,
        seq=seq,
        trigger_id=run.trigger_id,
        trigger_event_id=run.trigger_event_id,
        context_key=run.context_key,
        status=status,
        at=at,
        path=row.path if row else None,
        action_id=row.action_id if row else None,
        action_kind=row.kind if row else None,
        provider_action_id=row.provider_action_id if row else None,
        attempts=row.attempts if row else None,
        error=error if error is None else storable(error),
        reason=reason if reason is None else storable(reason),
        waiting_for=waiting_for if waiting_for is None else storable(waiting_for),
        duration_ms=duration_ms,
    )
    return _row(prefix, what, data, traceparent or run.traceparent)


def _row(prefix: str, what: What, data: RunEventData, traceparent: str | None) -> EventRow:
    message_id = f"{data.run_id}:{data.seq}"
    event = RunEvent(
        id=message_id,
        source=f"/{prefix}/{data.automation_id}",
        type=f"lockstep.run.{what}",
        subject=data.run_id,
        time=data.at,
        data=data,
        traceparent=UNSET if traceparent is None else traceparent,
    )
    subject = f"{prefix}.run.{data.automation_id}.{what}"
    body = encoded(event)
    return EventRow(data.run_id, data.seq, subject, message_id, body, data.at, traceparent)


def encoded(event: RunEvent) -> bytes:
    """Give a run event as it is published: of at most 64 KiB, whatever it tells.

    A text of it that is too long for that, such as a context key, is cut and ends with `…`.
    """
    body = _encode(event)
    if len(body) <= TEXT_BYTES:
        return body
    for most in (TEXT_BYTES, _SHORT_BYTES):
        texts = {
            name: storable(value, most)
            for name, value in msgspec.structs.asdict(event.data).items()
            if isinstance(value, str)
        }
        body = _encode(
            msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, **texts))
        )
        if len(body) <= EVENT_BYTES:
            break
    return body


def replacement(row: EventRow, reason: str, at: datetime) -> EventRow | None:
    """Build the warning that takes the place of a run event; None where it is none of a run."""
    try:
        told = _decode(row.body)
    except msgspec.DecodeError:
        return None
    what: What = "warning"
    data = msgspec.structs.replace(
        told.data, at=at, reason=reason, error=None, waiting_for=None, duration_ms=None
    )
    event = msgspec.structs.replace(told, type=f"lockstep.run.{what}", time=at, data=data)
    subject = f"{told.source.strip('/').partition('/')[0]}.run.{data.automation_id}.{what}"
    return msgspec.structs.replace(row, subject=subject, body=encoded(event))


def iso(time: datetime) -> str:
    """Give the ISO text of a time as expressions see it: UTC, milliseconds."""
    text = time.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def trigger_scope(
    trigger_id: str | None,
    event_id: str,
    payload: object,
    actor: Actor,
    time: datetime,
    message_id: str | None,
    context_key: str | None,
    hop: int,
    traceparent: str | None = None,
) -> Mapping[str, object]:
    """Build what expressions see as `trigger`."""
    return {
        "id": trigger_id,
        "event": event_id,
        "eventId": event_id,
        "payload": payload,
        "actor": {"type": actor.type, "id": actor.id, "name": actor.name},
        "time": iso(time),
        "message_id": message_id,
        "context_key": context_key,
        "hop": hop,
        "traceparent": traceparent,
    }
