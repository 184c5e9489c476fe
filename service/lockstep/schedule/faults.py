"""What is wrong with the config of a schedule, beyond its shape."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from lockstep.schedule.configs import MAX_PATTERN
from lockstep.schedule.pattern import judged
from lockstep.schedule.zones import zone_names
from lockstep_schemas.base import Json, JsonObject


def faults(event_id: str, config: JsonObject) -> Sequence[tuple[tuple[str, ...], str]]:
    """Say everything that is wrong with a config: path in it, and message.

    Types, bounds, missing and unknown keys are told by the schema, expressions by the renderer:
    fields that are not of their shape are passed over, the others are judged all the same.
    """
    if event_id != "automation.cron":
        return []
    return [
        *((("cronPattern",), text) for text in _of_pattern(config.get("cronPattern"))),
        *((("timezone",), text) for text in _of_zone(config.get("timezone"))),
    ]


def _of_pattern(pattern: Json) -> Iterator[str]:
    if not isinstance(pattern, str) or not 0 < len(pattern) <= MAX_PATTERN:
        return
    for wrong in judged(pattern):
        yield f"'{pattern}' is no cron pattern: {wrong}"


def _of_zone(zone: Json) -> Iterator[str]:
    if not isinstance(zone, str) or zone in zone_names():
        return
    names = {name.casefold(): name for name in zone_names()}
    near = get_close_matches(zone.casefold(), names, 1)
    meant = f", did you mean {names[near[0]]}?" if near else "; an IANA name is expected"
    yield f"unknown time zone '{zone}'{meant}"
