"""What the tests of definitions share: a definition, a catalog, and issues as short tuples."""

from typing import Any

from lockstep.catalog import MemoryCatalog, Registry, build_catalog
from lockstep.definition.validate import Checked, validate
from lockstep.model.types import ActionContext, ActionResult
from lockstep.render import Renderer
from lockstep_schemas.api import Issue

Json = dict[str, Any]


def _tickets(registry: Registry) -> None:
    fields = {"id": {"type": "string"}, "severity": {"type": "integer"}}
    registry.trigger("opened", payload={"properties": fields})
    registry.trigger("closed", payload={"properties": {"reason": {"type": "string"}}})
    home = {"type": "object", "properties": {"city": {"type": "string"}}}
    user = {"type": "object", "properties": {"name": {"type": "string"}, "home": home}}
    registry.trigger("nested", payload={"properties": {"user": user, "free": {"type": "object"}}})
    registry.trigger(
        "odd", payload={"properties": fields, "additionalProperties": {"type": "string"}}
    )
    registry.trigger("either", payload={"properties": fields, "anyOf": [{"type": "object"}]})


async def _nothing(_: ActionContext) -> ActionResult:
    return ActionResult(success=True)


def _shapes(registry: Registry) -> None:
    shapes = [
        {
            "type": "object",
            "properties": {name: {"type": "integer"}},
            "required": [name],
            "additionalProperties": False,
        }
        for name in ("n", "m")
    ]
    fields = {
        "one": {"oneOf": shapes},
        "any": {"anyOf": shapes},
        "unique": {"type": "array", "uniqueItems": True},
        "has": {"type": "array", "contains": {"const": "x"}},
    }
    config = {"type": "object", "properties": fields, "additionalProperties": False}
    registry.action("act", config=config)(_nothing)


def _catalog(*, is_open: bool) -> MemoryCatalog:
    catalog = build_catalog(is_open, with_stubs=True)
    catalog.register("ticket", _tickets)
    catalog.register("shapes", _shapes)
    return catalog


CATALOG = _catalog(is_open=False)
OPEN = _catalog(is_open=True)
RENDERER = Renderer()
STOP: Json = {"stop": {}}


def trigger(**fields: Any) -> Json:
    return {"event": "test.event", **fields}


def made(**fields: Any) -> Json:
    """Make a definition; it is right if the fields are."""
    return {"name": "x", "triggers": [trigger()], **fields}


def acting(*actions: Any) -> Json:
    return made(actions=list(actions))


def judged(raw: Any, catalog: MemoryCatalog = CATALOG) -> Checked:
    return validate(raw, catalog, RENDERER)


def place(issue: Issue) -> str:
    return ".".join(map(str, issue.path))


def errors(raw: Any, catalog: MemoryCatalog = CATALOG) -> list[tuple[str, str]]:
    return [(place(issue), issue.message) for issue in judged(raw, catalog).errors]


def places(raw: Any, catalog: MemoryCatalog = CATALOG) -> list[str]:
    return [place(issue) for issue in judged(raw, catalog).errors]


def only(raw: Any, catalog: MemoryCatalog = CATALOG) -> Issue:
    """Give the one error of a definition."""
    (issue,) = judged(raw, catalog).errors
    return issue
