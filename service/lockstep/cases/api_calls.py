"""Cases of the control API: calls in order, and what each must reply."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from lockstep.cases.expect import is_part
from lockstep.cases.format import ApiCall, ApiCase
from lockstep_schemas.base import Json, JsonObject

# What a case calls an operation, and the endpoint behind it.
ENDPOINTS: Final[Mapping[str, str]] = {
    "listAutomations": "automations.list",
    "getAutomation": "automations.get",
    "createAutomation": "automations.create",
    "updateAutomation": "automations.update",
    "deleteAutomation": "automations.delete",
    "toggleAutomation": "automations.toggle",
    "validateDefinition": "automations.validate",
    "manualRun": "runs.start",
    "listRuns": "runs.list",
    "getRun": "runs.get",
    "cancelRun": "runs.cancel",
    "listTriggers": "catalog.triggers",
    "listActions": "catalog.actions",
    "listArtifactTypes": "catalog.artifact_types",
    "renderTemplate": "templates.render",
    "listMigrationFailures": "migration.failures",
    "acknowledgeMigrationFailure": "migration.acknowledge",
}
# What is said of a reply, and is no field of it.
_JUDGED: Final = frozenset(
    {
        "error", "has", "item_count", "items_contain", "items_have", "errors_min", "errors_have",
        "error_has", "distinct_from", "notified",
    }
)  # fmt: skip


class BusEvent(msgspec.Struct, frozen=True):
    """An event that the bus carried: its last word, and its data."""

    what: str
    data: JsonObject


class ApiWorld(Protocol):
    """An engine that answers, and what the bus carried since the last call."""

    @property
    def endpoints(self) -> frozenset[str]:
        """What the engine answers to."""
        ...

    async def ask(self, endpoint: str, request: JsonObject) -> tuple[Json, bool]:
        """Call an endpoint; give its body, and whether it is an error."""
        ...

    async def bus_events(self, what: str) -> Sequence[BusEvent]:
        """Wait shortly for an event of this kind; give all since the last call."""
        ...


def missing(case: ApiCase, endpoints: frozenset[str]) -> str | None:
    """Say which operation of a case the engine does not have, if there is one."""
    for call in case.calls:
        endpoint = ENDPOINTS.get(call.op)
        if endpoint is None:
            return f"there is no operation `{call.op}`"
        if endpoint not in endpoints:
            return f"`{call.op}` needs the endpoint {endpoint}, which this version does not have"
    return None


async def differences(case: ApiCase, world: ApiWorld) -> list[str]:
    """Do the calls of a case in order; say what is not as expected."""
    for request in case.setup:
        body, is_error = await world.ask("automations.create", _snake(request))
        if is_error:
            return [f"setup: {body}"]
    replies: list[Json] = []
    faults: list[str] = []
    for number, call in enumerate(case.calls, 1):
        request = _snake(_filled(call.input, replies))
        body, is_error = await world.ask(ENDPOINTS[call.op], request)
        replies.append(body)
        expect = _filled(call.expect, replies)
        found = [*_judged(expect, body, is_error), *await _notified(expect, world)]
        faults += [f"call {number} {call.op}: {one}" for one in found]
    return faults


def _filled(value: Json, replies: Sequence[Json]) -> Json:
    """Put the fields of earlier replies in the place of `$1.id`."""
    if isinstance(value, str) and (found := re.fullmatch(r"\$(\d+)\.(\w+)", value)):
        return replies[int(found[1]) - 1].get(name_of_api(found[2]))
    if isinstance(value, dict):
        return {name: _filled(inner, replies) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, replies) for inner in value]
    return value


def name_of_api(camel: str) -> str:
    """Give the name of the API for one of a case: `automationId` is `automation_id`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: f"_{match[1].lower()}", camel)


def _snake(value: Json) -> Json:
    """Rename the fields of a request or a reply, but not what a definition holds."""
    if isinstance(value, list):
        return [_snake(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    kept = {"definition", "payload", "context"}
    return {name_of_api(n): inner if n in kept else _snake(inner) for n, inner in value.items()}


def _judged(expect: JsonObject, body: Json, is_error: bool) -> Iterator[str]:
    if "error" in expect:
        wanted = expect["error"]
        if not is_error:
            yield f"expected an error {wanted}, got {body}"
        elif body["code"] != wanted["code"] or wanted.get("contains", "") not in str(body):
            yield f"expected the error {wanted}, got {body}"
        return
    if is_error:
        yield f"expected {expect}, got the error {body}"
        return
    plain = {name: value for name, value in expect.items() if name not in _JUDGED}
    yield from _fields(_snake(plain), body, "")
    yield from _lists(expect, body)


def _fields(wanted: JsonObject, body: Json, place: str) -> Iterator[str]:
    """Judge fields; `has` inside an object names fields that must be there with a value."""
    for name, value in wanted.items():
        found = body.get(name) if isinstance(body, dict) else None
        if name == "has":
            yield from _has([name_of_api(one) for one in value], body, place)
        elif isinstance(value, dict) and isinstance(found, dict) and name != "definition":
            yield from _fields(value, found, f"{place}{name}.")
        elif isinstance(value, list) and isinstance(found, list):
            same = len(value) <= len(found) and all(map(is_part, value, found))
            if not same or (not value and found):
                yield f"{place}{name}: expected {value}, got {found}"
        elif not is_part(value, found):
            yield f"{place}{name}: expected {value!r}, got {found!r}"


def _has(names: Sequence[str], body: Json, place: str) -> Iterator[str]:
    for name in names:
        if not isinstance(body, dict) or body.get(name) is None:
            yield f"{place}{name} is missing in {body}"


def _lists(expect: JsonObject, body: Json) -> Iterator[str]:
    items: list[Json] = body.get("items", []) if isinstance(body, dict) else []
    if "has" in expect:
        yield from _has([name_of_api(name) for name in expect["has"]], body, "")
    if "item_count" in expect and len(items) != expect["item_count"]:
        yield f"expected {expect['item_count']} items, got {len(items)}"
    if "items_contain" in expect:
        wanted = _snake(expect["items_contain"])
        if not any(is_part(wanted, item) for item in items):
            yield f"no item is like {wanted}: {items}"
    for name in map(name_of_api, expect.get("items_have", [])):
        if not all(name in item for item in items):
            yield f"an item lacks {name}: {items}"
    errors: list[Json] = body.get("errors", []) if isinstance(body, dict) else []
    if len(errors) < expect.get("errors_min", 0):
        yield f"expected at least {expect['errors_min']} errors, got {errors}"
    for name in map(name_of_api, expect.get("errors_have", [])):
        if not all(name in error for error in errors):
            yield f"an error lacks {name}: {errors}"
    if "error_has" in expect:
        yield from _has(
            [name_of_api(name) for name in expect["error_has"]], body.get("error"), "error."
        )
    if "distinct_from" in expect and body.get("run_id") == expect["distinct_from"]:
        yield f"expected another than {expect['distinct_from']}"


async def _notified(expect: JsonObject, world: ApiWorld) -> list[str]:
    """Judge the event that the bus must carry after a call."""
    wanted = expect.get("notified")
    if wanted is None:
        return []
    what = str(wanted.get("action") or wanted.get("status"))
    carried = await world.bus_events(what)
    if any(one.what == what or one.data.get("status") == what for one in carried):
        return []
    return [f"expected the bus to carry `{what}`, got {[one.what for one in carried]}"]


__all__ = ["ENDPOINTS", "ApiCall", "ApiWorld", "BusEvent", "differences", "missing"]
